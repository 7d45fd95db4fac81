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
  local moving, layers = net.held.moving, {}
  for _, node in ipairs(net.nodes) do
    if node.layer.state then layers[#layers + 1] = node.layer end
  end
  return setmetatable({
    net = net, generator = net.generator:copy(), moving = moving and moving:copy(),
    layers = layers, states = {},
  }, Snapshot):take()
end

---Keep what is there now.
---@return Snapshot self
function Snapshot:take()
  local net, moving, layers = self.net, self.moving, self.layers
  self.generator:assign(net.generator)
  if moving then moving:assign(net.held.moving) end
  for k = 1, #layers do self.states[k] = layers[k]:state() end
  return self
end

---Give the network back what was kept.
function Snapshot:put_back()
  local net, moving, layers = self.net, self.moving, self.layers
  net.generator:assign(self.generator)
  if moving then net.held.moving:assign(moving) end
  for k = 1, #layers do layers[k]:restore(self.states[k]) end
end

---Where a forward that began with this snapshot has not come to its A, give back what was kept.
function Snapshot:__close()
  if not self.net.A then self:put_back() end
end

return Snapshot
