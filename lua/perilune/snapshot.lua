-- What forward moves besides what backward needs: the place of the generator, tensors that are
-- state, and what layers remember beyond their tensors. A snapshot keeps it as it is, to be put
-- back when a forward is done again or was in vain. Nothing is allocated but by layers that
-- remember more.

---@class Snapshot
---@field net Network
local Snapshot = {}
Snapshot.__index = Snapshot

---@param net Network
---@return Snapshot  of the network as it is now
function Snapshot.new(net)
  local self = setmetatable({
    net = net, generator = net.generator:copy(),
    tensors = {}, values = {}, layers = {}, states = {},
  }, Snapshot)
  for _, tensor in ipairs(net:tensors()) do
    if tensor.role == "state" then
      self.tensors[#self.tensors + 1] = tensor.value
      self.values[#self.values + 1] = tensor.value:copy(tensor.value.order)
    end
  end
  for _, node in ipairs(net.nodes) do
    if node.layer.state then self.layers[#self.layers + 1] = node.layer end
  end
  return self:take()
end

---Keep what is there now.
---@return Snapshot self
function Snapshot:take()
  local values, tensors, layers = self.values, self.tensors, self.layers
  self.generator:assign(self.net.generator)
  for k = 1, #values do values[k]:assign(tensors[k]) end
  for k = 1, #layers do self.states[k] = layers[k]:state() end
  return self
end

---Give the network back what was kept.
function Snapshot:put_back()
  local values, tensors, layers = self.values, self.tensors, self.layers
  self.net.generator:assign(self.generator)
  for k = 1, #values do tensors[k]:assign(values[k]) end
  for k = 1, #layers do layers[k]:restore(self.states[k]) end
end

return Snapshot
