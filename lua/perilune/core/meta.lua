---@meta
-- The C modules perilune.core.float32, perilune.core.float64 and perilune.core.system, as types and
-- documentation. This file is never required: editors read it, and so should you.
--
-- float32 and float64 are the same source compiled twice. Their functions take matrices of their
-- own type only; M:to(name) converts. Conventions that hold for every function:
--   * the result comes first, then the operands in the order the formula is read, and is returned;
--   * nothing is allocated, unless the function is a constructor or an operator;
--   * every argument is checked before the first write: a call that raises changes nothing;
--   * rows and columns count from 1; samples are columns;
--   * a string is no number, even if it looks like one, wherever an element or a factor is given.

---A dense rows x cols matrix, elements and header in one userdata that Lua's collector owns.
---`A * B` is the matrix product; `x * A`, `A * x` and `A / x` scale; `A ^ x` is the power of each
---element; `A + B` and `A - B` add and subtract: a rows x 1 matrix is then repeated over the
---columns, a 1 x cols matrix over the rows, and a number over everything. Operators and methods
---that return a matrix allocate a new one. A value of another type beside a matrix answers by its
---own metamethod, if it has one.
---@class Matrix
---@field rows integer
---@field cols integer
---@field dtype "float32"|"float64"
---@field order "columns"|"rows"  which elements are neighbours in memory; never changes what an
---operation means
---@operator add(Matrix|number): Matrix
---@operator sub(Matrix|number): Matrix
---@operator mul(Matrix|number): Matrix
---@operator div(number): Matrix
---@operator unm: Matrix
---@operator pow(number): Matrix
local Matrix = {}

---Element (i, j). Raises outside 1..rows, 1..cols.
---@param i integer
---@param j integer
---@return number
function Matrix:get(i, j) end

---Set element (i, j) to x. Raises outside 1..rows, 1..cols.
---@param i integer
---@param j integer
---@param x number
---@return Matrix self
function Matrix:set(i, j, x) end

---@return integer rows, integer cols
function Matrix:shape() end

---Columns first..last as a view: it shares memory with this matrix and keeps it alive. Raises for a
---matrix stored by rows with more than one row, whose columns are not neighbours in memory.
---@param first integer
---@param last integer  first <= last <= cols
---@return Matrix
function Matrix:columns(first, last) end

---The rows * cols elements from stored element `first` on, seen as a matrix of their own: a view.
---A flat parameter vector is cut into W and b with it.
---@param first integer  counted from 1 in storage order
---@param rows integer
---@param cols integer
---@param order? "columns"|"rows"  default "columns"
---@return Matrix
function Matrix:view(first, rows, cols, order) end

---@param order? "columns"|"rows"  storage order of the copy, default "columns"
---@return Matrix
function Matrix:copy(order) end

---@return Matrix  cols x rows, stored by columns
function Matrix:transpose() end

---The same by the shorter name
---@return Matrix
function Matrix:t() end

---Rows first_row..last_row and columns first_column..last_column as a new matrix; what is left out
---is from the first, or to the last. Raises outside the matrix.
---@param first_row? integer
---@param last_row? integer
---@param first_column? integer
---@param last_column? integer
---@return Matrix
function Matrix:slice(first_row, last_row, first_column, last_column) end

---The rows of the list as a new matrix, in its order. Raises for one that there is not.
---@param indices integer[]  from 1 to rows, one or more
---@return Matrix
function Matrix:select_rows(indices) end

---The columns of the list as a new matrix, likewise.
---@param indices integer[]  from 1 to cols, one or more
---@return Matrix
function Matrix:select_columns(indices) end

---A copy in the other element type (or the same). Both core modules must be loaded, as `require
---"perilune"` does.
---@param name "float32"|"float64"
---@return Matrix
function Matrix:to(name) end

---@return number[][]  a table of rows, as it would be written on paper
function Matrix:totable() end

---The Hadamard product A (.) B, elementwise; B may be a column or a row, which is repeated.
---@param B Matrix
---@return Matrix
function Matrix:hadamard(B) end

---f of every element. Elements are visited in storage order.
---@param f fun(x: number): number
---@return Matrix
function Matrix:map(f) end

---Set every element to x.
---@param x number
---@return Matrix self
function Matrix:fill(x) end

---Copy the elements of B, of the same shape, into this matrix.
---@param B Matrix
---@return Matrix self
function Matrix:assign(B) end

---@return number  the sum of all elements, accumulated in double
function Matrix:sum() end

---@return number  the mean of all elements
function Matrix:mean() end

---@return number  the Euclidean (Frobenius) norm, accumulated in double
function Matrix:norm() end

---@return number  largest element; NaN if there is one
function Matrix:max() end

---@return number  smallest element; NaN if there is one
function Matrix:min() end

---@return boolean  no element is NaN or infinite
function Matrix:is_finite() end

---The row of the largest element of each column, the first where several are equal.
---Raises when a column holds NaN.
---@param result? Matrix  1 x cols, allocated when absent
---@return Matrix         1 x cols, whole numbers from 1 to rows
function Matrix:argmax(result) end

---The row of the smallest element of each column, likewise.
---@param result? Matrix  1 x cols, allocated when absent
---@return Matrix         1 x cols, whole numbers from 1 to rows
function Matrix:argmin(result) end

---The elements as a binary string.
---@param type "uint8"|"float32"|"float64"  for uint8 elements are rounded and must lie in 0..255
---@param endian? "little"|"big"            default "little"
---@param order? "columns"|"rows"           which elements follow each other, default "columns"
---@param first? integer                    elements first..last, counted in that order, from 1;
---default: all
---@param last? integer
---@return string
function Matrix:encode(type, endian, order, first, last) end

---Set elements from `first` on to those of a binary string, as encode gives it. Raises for a string
---that does not hold whole elements, or more than there are; and for a whole number that this type
---of matrix does not hold exactly, such as 2^24 + 1 in float32.
---@param bytes string
---@param type "uint8"|"float32"|"float64"|"int8"|"int16"|"uint16"|"int32"|"uint32"|"int64"|"uint64"
---@param endian? "little"|"big"            default "little"
---@param order? "columns"|"rows"           in which elements follow each other in the string,
---default "columns"
---@param first? integer                    counted in that order, default 1
---@return Matrix self
function Matrix:decode(bytes, type, endian, order, first) end

---A seeded pseudo-random generator: xoshiro256++ (Blackman and Vigna 2019), seeded by splitmix64.
---The same seed gives the same numbers on every machine. A generator fills matrices of both types,
---whichever core made it; those of float32 get the float64 numbers, rounded.
---@class Generator
local Generator = {}

---Fill M with numbers uniform in [low, high).
---@param M Matrix
---@param low? number   default 0
---@param high? number  default 1
---@return Matrix M
function Generator:uniform(M, low, high) end

---Fill M with normal numbers.
---@param M Matrix
---@param mean? number       default 0
---@param deviation? number  default 1, >= 0
---@return Matrix M
function Generator:normal(M, mean, deviation) end

---A random permutation of 1..n, every one equally likely (Fisher-Yates).
---Given a table, its elements 1..#t are shuffled in place and nothing is allocated.
---@param n integer|table
---@return integer[]
function Generator:permutation(n) end

---@return number  uniform in [0, 1)
function Generator:number() end

---@param low integer
---@param high integer
---@return integer  uniform in low..high, without modulo bias
function Generator:integer(low, high) end

---@return Generator  another one that gives the same numbers
function Generator:copy() end

---Go on as `other` would: restore(other:state()) without a string between.
---@param other Generator
---@return Generator self
function Generator:assign(other) end

---@return string  the whole state as 64 hexadecimal digits
function Generator:state() end

---Continue from a state that state() gave. Raises for any other string.
---@param state string
---@return Generator self
function Generator:restore(state) end

---One activation sigma and its derivative.
---@class Activation
---@field name string
---@field options? table<string, number|string>  what it was made with: { slope = 0.01 }
---@field range? number[]  { least, most } of what it gives for numbers, or comes near to: { 0, 1 };
---nil: all numbers
---@field is_elementwise? boolean  false where a_i depends on the whole column of Z
---@field forward fun(A: Matrix, Z: Matrix): Matrix  A = sigma(Z) (1.4); A may be Z
---@field backward fun(H: Matrix, Delta: Matrix, Z: Matrix, A: Matrix): Matrix  H = J_sigma^t Delta,
---which is Delta (.) dsigma/dZ (4.2) where sigma is elementwise; H may be Delta
---@field handle? userdata  what dense_forward and dense_gradients know it by; an activation of your
---own has none

---@class Core
---@field name "float32"|"float64"
---@field activations table<string, Activation>  each with its usual options
local core = {}

---An activation with options. NaN gives NaN; what is huge or infinite, the limit.
---    elu           z where z > 0, else alpha (e^z - 1); alpha = 1, >= 0
---    exponential   e^z
---    gelu          z Phi(z), Phi the distribution of normal numbers; approximate = "none", or
---                  "tanh": z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2
---    hard_sigmoid  (z + 3) / 6 within 0 and 1
---    hard_tanh     z within lower = -1 and upper = 1
---    identity      z
---    leaky_relu    z where z > 0, else slope z; slope = 0.01, >= 0
---    log_softmax   z_i - log sum_j e^z_j
---    mish          z tanh(log(1 + e^z))
---    relu          max(0, z)
---    selu          1.0507 times z where z > 0, else times 1.6733 (e^z - 1)
---    sigmoid       1 / (1 + e^-z)
---    silu          z / (1 + e^-z)
---    softmax       e^z_i / sum_j e^z_j
---    softplus      log(1 + e^(beta z)) / beta, z where beta z > threshold; beta = 1, > 0;
---                  threshold = 20, >= 0
---    softsign      z / (1 + |z|)
---    tanh          tanh z
---Names, options and formulas are PyTorch's where it has them; doc/equations.md has the sources and
---the derivatives. Raises for a name or an option that there is not, and for a value out of range.
---    core.activation("softplus", { beta = 2 }).forward(A, Z)
---@param name string
---@param options? table<string, number|string>  those that are not given have their usual values
---@return Activation
function core.activation(name, options) end

---A = scale X + shift where an element stays, else `dropped` + 0 X, each with the probability p
---dropped. Which ones follows from the key alone, element by element as they are stored, so that
---the same key drops the same elements of another matrix.
---@param A Matrix          stored by columns
---@param X Matrix          stored by columns; may be A
---@param p number          0 <= p < 1
---@param key integer       64 random bits: generator:integer(math.mininteger, math.maxinteger)
---@param scale number
---@param shift? number     default 0
---@param dropped? number   default 0
---@return Matrix A
function core.dropout(A, X, p, key, scale, shift, dropped) end

---How far from each pixel of a distorted image what is there lies in the image it is made of, drawn
---for each sample by the key and its place alone:
---    p = c + M (q - c - t) + alpha G * u
---is where pixel q comes from, for the middle c of the image; t uniform within `shift` pixels to
---either side; M the inverse of: scaled along and down by factors within `scale` of 1, sheared,
---then turned, by angles within `shear` and `angle` to either side; u uniform in -1..1 at each
---pixel, and smoothed by a Gaussian G of deviation sigma, which ends at 4 sigma; beyond the image u
---is 0 (Simard et al. 2003).
---@param D Matrix          2 P x N, stored by columns: for N images of P pixels, row by row, how
---far to the right of each pixel q its p is, for all pixels, and then how far below
---@param S Matrix?         2 P x N, to work in; nil where alpha is 0
---@param key integer       64 random bits: generator:integer(math.mininteger, math.maxinteger)
---@param place integer     of the first sample; the next one's is one more
---@param width integer     of the images, P = width height
---@param shift number      pixels, 0 to 1e6
---@param angle number      radians, 0 to 1e6
---@param scale number      0 to 0.99
---@param shear number      radians, 0 to 1.5
---@param alpha number      0 to 1e6
---@param sigma number      above 0, at most 64
---@return Matrix D
function core.displace(D, S, key, place, width, shift, angle, scale, shear, alpha, sigma) end

---Images made of others: each pixel is what X has at the place to which D displaces it, by bilinear
---interpolation; beyond the edges X is 0. A pixel that is not displaced keeps its bits; where its
---displacement is NaN it is NaN.
---@param A Matrix          P c x N, stored by columns: P pixels of c channels, the channels of a
---pixel side by side
---@param X Matrix          P c x N, stored by columns; not A
---@param D Matrix          2 P x N, stored by columns, as displace gives it, or of one's own; not A
---@param width integer     of the images
---@return Matrix A
function core.resample(A, X, D, width) end

---P = sin 2 pi c x above cos 2 pi c x, for a feature x (Gorishniy et al. 2022).
---@param P Matrix  2k x N, stored by columns
---@param c Matrix  k x 1, frequencies
---@param x Matrix  1 x N
---@return Matrix P
function core.periodic(P, c, x) end

---G = 2 pi (H_sin (.) P_cos - H_cos (.) P_sin), the derivative of J by c x.
---@param G Matrix  k x N, stored by columns
---@param H Matrix  2k x N, dJ/dP
---@param P Matrix  2k x N
---@return Matrix G
function core.periodic_backward(G, H, P) end

---P_tn = (x_n - b_t) / (b_(t+1) - b_t), at least 0 but in the first row, at most 1 but in the last
---(Gorishniy et al. 2022).
---@param P Matrix           k x N, stored by columns
---@param boundaries Matrix  k + 1 x 1, each above the one before
---@param x Matrix           1 x N
---@return Matrix P
function core.piecewise_linear(P, boundaries, x) end

---The derivative of J by x.
---@param delta Matrix       1 x N
---@param H Matrix           k x N, dJ/dP
---@param boundaries Matrix  k + 1 x 1
---@param x Matrix           1 x N
---@return Matrix delta
function core.piecewise_linear_backward(delta, H, boundaries, x) end

---Column n of A = the row x_n of W. Raises for labels that there are not.
---@param A Matrix  S x N, stored by columns
---@param W Matrix  categories x S
---@param x Matrix  1 x N, whole numbers from 1 to W.rows
---@return Matrix A
function core.embed(A, W, x) end

---Columns of a table as inputs of a network, in one pass (see perilune.layer.prepare, which makes
---the plan). A row of the plan is a record of nine numbers; the records, sorted by kind, say what
---the rows of A are, one after the other:
---  source  the row of X
---  kind    1: a number; 2: one made normal by quantiles (Wichura 1988); 3: 1 where x is missing,
---          NaN, else 0; 4: a label as a number; 5: a label as rows of which one is 1
---  count   rows of A, 1 but for kind 5
---  shift, factor  of kinds 1 and 4: y = (x - shift) factor; shift of kind 2: where its knots begin
---  bend    of kinds 1 and 2: y / sqrt(1 + (bend y)^2), which is below 1 / bend; 0 for none
---  fill    the x that stands for a missing one
---  most    the largest label; of kind 2: how many knots
---  unseen  the label that stands for 0, which is refused where this is below 0
---@param A Matrix       S x N, stored by columns
---@param X Matrix       any x N, likewise; of kinds 4 and 5 whole numbers up to `most`, or NaN
---@param plan Matrix    records x 9, stored by columns
---@param knots? Matrix  any x 1: quantiles, ascending for each record of kind 2
---@return Matrix A
function core.prepare(A, X, plan, knots) end

---The derivative of J by X: by numbers; 0 by labels and where x is missing.
---@param Delta_below Matrix  any x N, stored by columns
---@param Delta Matrix        S x N, dJ/dA, likewise
---@param X Matrix            as Delta_below
---@param plan Matrix         as prepare has it
---@param knots? Matrix
---@return Matrix Delta_below
function core.prepare_backward(Delta_below, Delta, X, plan, knots) end

---Put the elements into ascending order, in the order in which they are stored; NaN comes last.
---@param x Matrix
---@return Matrix x
function core.sort(x) end

---Add column n of H to the row x_n of dJ_dW, for each n in turn.
---@param dJ_dW Matrix  categories x S
---@param H Matrix      S x N, dJ/dA
---@param x Matrix      1 x N, whole numbers from 1 to dJ_dW.rows
---@return Matrix dJ_dW
function core.embed_gradient(dJ_dW, H, x) end

---A matrix of zeros, or the matrix of a table of rows.
---@param rows integer|number[][]  >= 1
---@param cols? integer             >= 1; rows * cols <= 2^31 - 1
---@param order? "columns"|"rows"   storage order, default "columns"
---@return Matrix
function core.matrix(rows, cols, order) end

---A matrix from a binary string. Raises when the string ends too early, and for a whole number that
---this type of matrix does not hold exactly, such as 2^24 + 1 in float32.
---@param bytes string
---@param type "uint8"|"float32"|"float64"|"int8"|"int16"|"uint16"|"int32"|"uint32"|"int64"|"uint64"
---@param rows integer
---@param cols integer
---@param endian? "little"|"big"     default "little"
---@param offset? integer            bytes to skip, default 0
---@param order? "columns"|"rows"    which elements follow each other in the string, and the storage
---order; default "columns"
---@return Matrix
function core.decode(bytes, type, rows, cols, endian, offset, order) end

---@param seed? integer  default 1
---@return Generator
function core.generator(seed) end

---Set and return the number of threads that this Lua state's matrix operations use; without n, only
---return it. 1 unless set. Results do not depend on it, to the last bit.
---@param n? integer  1..256
---@return integer
function core.threads(n) end

-- Whole-matrix arithmetic, element by element. A and B: matrices of C's shape, columns (rows x 1),
-- rows (1 x cols) or numbers. C may be A or B.

---C = A + B
---@param C Matrix
---@param A Matrix|number
---@param B Matrix|number
---@return Matrix C
function core.add(C, A, B) end

---C = A - B
core.subtract = core.add

---C = A (.) B
core.hadamard = core.add

---C = A / B
core.divide = core.add

---C = A^B; NaN for a negative base and an exponent that is not whole
core.power = core.add

---C = max(A, B); NaN if either is
core.maximum = core.add

---C = min(A, B); NaN if either is
core.minimum = core.add

---C = 1 where A < B, else 0, also beside NaN
core.less = core.add

---C = 1 where A <= B, else 0
core.less_equal = core.add

---C = 1 where A = B, else 0
core.equal = core.add

-- Functions of each element. C may be A.

---C = min(max(A, low), high); NaN stays NaN.
---@param C Matrix
---@param A Matrix
---@param low number
---@param high number  >= low
---@return Matrix C
function core.clamp(C, A, low, high) end

---C = e^A, at most 1.5 units in the last place off.
---@param C Matrix
---@param A Matrix
---@return Matrix C
function core.exp(C, A) end

---C = |A|
core.abs = core.exp

---C = log A, the natural logarithm
core.log = core.exp

---C = the sign of A: 1, -1, 0 or NaN
core.sign = core.exp

---C = the square root of A
core.sqrt = core.exp

---C = A (.) A
core.square = core.exp

---C = tanh A, at most 1.5 units in the last place off
core.tanh = core.exp

---C = C + x A
---@param C Matrix
---@param x number
---@param A Matrix
---@return Matrix C
function core.accumulate(C, x, A) end

---C = op(A) op(B), the matrix product, or C = C + op(A) op(B); C must not be A or B.
---@param C Matrix
---@param A Matrix
---@param B Matrix
---@param transposed? "NN"|"NT"|"TN"|"TT"  which operands are transposed, default "NN"
---@param adds? boolean                    add the product to what C holds
---@param by? "fastest"|"openblas"          default "fastest"; to measure by, always by OpenBLAS,
---each block by one call of its gemm
---@return Matrix C
function core.product(C, A, B, transposed, adds, by) end

---b = X J_N, the sum of the columns: rows x 1.
---@param b Matrix
---@param X Matrix
---@return Matrix b
function core.sum_columns(b, X) end

---r = the sum of the rows: 1 x cols.
---@param r Matrix
---@param X Matrix
---@return Matrix r
function core.sum_rows(r, X) end

---b = the mean of the columns: rows x 1.
---@param b Matrix
---@param X Matrix
---@return Matrix b
function core.mean_columns(b, X) end

---r = the mean of the rows: 1 x cols.
---@param r Matrix
---@param X Matrix
---@return Matrix r
function core.mean_rows(r, X) end

---b = the standard deviation over the columns: sqrt(sum_n (x_in - mean_i)^2 / (N - correction)).
---@param b Matrix             rows x 1
---@param X Matrix             rows x N
---@param correction? integer  0 <= correction < N; default 0, for that of a sample 1
---@return Matrix b
function core.deviation_columns(b, X, correction) end

---r = the standard deviation over the rows, likewise: 1 x cols.
---@param r Matrix
---@param X Matrix
---@param correction? integer
---@return Matrix r
function core.deviation_rows(r, X, correction) end

---Matrices below each other, as a new one; each with the columns of the first.
---@param ... Matrix
---@return Matrix
function core.vstack(...) end

---Matrices side by side, as a new one; each with the rows of the first.
---@param ... Matrix
---@return Matrix
function core.hstack(...) end

---r_n = log sum_i e^(z_in) for each column, shifted so that nothing overflows.
---@param r Matrix  1 x cols
---@param Z Matrix
---@return Matrix r
function core.log_sum_exp(r, Z) end

---How many elements of A and B are equal.
---@param A Matrix
---@param B Matrix
---@return integer
function core.count_equal(A, B) end

---Two areas under curves, of row i of outputs, by which samples are ranked. A sample is positive
---where its label is i, or its target in row i is at least 1/2. Samples with equal outputs count
---together; one of weight 0 is left out, even where A or T is NaN. By a radix sort, in linear time.
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N targets, or for several outputs 1 x N labels
---@param i integer        from 1 to S_L
---@param weights? Matrix  1 x N, or S_L x N of which row i is taken: finite numbers >= 0
---@return number roc_area           that under the ROC curve, the share of pairs of a positive and
---a negative that are in the right order, ties counting half; NaN without either
---@return number average_precision  sum over the outputs, from the largest down, of the recall that
---each adds times the precision there; 0 without positives
function core.curve_areas(A, T, i, weights) end

---r_n = the rank of the output that the label of sample n names, among those of the sample: 1 for
---the largest, of equal ones for the first. Raises for NaN and for labels that are no rows.
---@param r Matrix       1 x N; may be labels
---@param A Matrix       S_L x N
---@param labels Matrix  1 x N, whole numbers from 1 to S_L
---@return Matrix r
function core.label_ranks(r, A, labels) end

---N where X is a matrix of this core with `rows` rows and N columns; else nil.
---@param X any
---@param rows integer
---@return integer?
function core.sample_count(X, rows) end

---Whether A and B have an element in common, as a matrix and a view of it have.
---@param A Matrix
---@param B Matrix
---@return boolean
function core.shares_memory(A, B) end

---Z = W A + b, b repeated over the columns (1.4).
---@param Z Matrix   S_l x N
---@param W Matrix   S_l x S_(l-1)
---@param A Matrix   S_(l-1) x N
---@param b Matrix?  S_l x 1; nil: none
---@return Matrix Z
function core.affine_forward(Z, W, A, b) end

---dJ/dW = H A^t and dJ/db = H J_N (4.1).
---@param dJ_dW Matrix  S_l x S_(l-1)
---@param dJ_db Matrix?  S_l x 1; nil: not computed
---@param H Matrix      S_l x N
---@param A Matrix      S_(l-1) x N
---@param adds? boolean  add both to what dJ_dW and dJ_db hold
---@return Matrix dJ_dW
function core.affine_gradients(dJ_dW, dJ_db, H, A, adds) end

---Delta^(l-1) = W^t H (4.2).
---@param Delta Matrix  S_(l-1) x N
---@param W Matrix      S_l x S_(l-1)
---@param H Matrix      S_l x N
---@param adds? boolean  add it to what Delta holds
---@return Matrix Delta
function core.affine_backward(Delta, W, H, adds) end

---A = sigma(Z), after Z = W A_below + b (1.4), in one pass.
---@param A Matrix        S_l x N; may be Z
---@param Z Matrix        S_l x N
---@param W Matrix        S_l x S_(l-1)
---@param A_below Matrix  S_(l-1) x N
---@param b Matrix?       S_l x 1; nil: none
---@param sigma userdata  the handle of an activation
---@return Matrix A
function core.dense_forward(A, Z, W, A_below, b, sigma) end

---dJ/dW = H A_below^t and dJ/db = H J_N (4.1), after H = J_sigma^t Delta (4.2), in one call.
---@param dJ_dW Matrix    S_l x S_(l-1)
---@param dJ_db Matrix?   S_l x 1; nil: not computed
---@param H Matrix        S_l x N; may be Delta
---@param A_below Matrix  S_(l-1) x N
---@param Delta Matrix    S_l x N
---@param Z Matrix        S_l x N
---@param A Matrix        S_l x N, sigma(Z)
---@param sigma userdata  the handle of an activation
---@param adds? boolean   add both gradients to what they hold
---@return Matrix dJ_dW
function core.dense_gradients(dJ_dW, dJ_db, H, A_below, Delta, Z, A, sigma, adds) end

---A = X where X > 0, else slope x, with a slope for each row or one for all (He et al. 2015).
---@param A Matrix       S x N; may be X
---@param X Matrix       S x N
---@param slopes Matrix  S x 1 or 1 x 1
---@return Matrix A
function core.prelu_forward(A, X, slopes) end

---Delta_below = Delta where X > 0, else slope delta; and dJ/dslope = the sum of delta x where x is
---not above 0, of each row or of all.
---@param Delta_below Matrix?  S x N; may be Delta or X; nil: not computed
---@param dJ_dslopes Matrix?   as slopes; nil: not computed
---@param Delta Matrix         S x N
---@param X Matrix             S x N
---@param slopes Matrix        S x 1 or 1 x 1
---@param adds? boolean        add the sums to what dJ_dslopes holds
---@return Matrix? Delta_below
function core.prelu_backward(Delta_below, dJ_dslopes, Delta, X, slopes, adds) end

-- Losses. Each takes (Delta, A, T, weights, reduction), of which the last two may be nil, then
-- numbers of its own, all of them finite and required unless it is said otherwise; the ranges in
-- which they make sense are those of the fields in perilune.loss. Delta = dJ/dA is left out where
-- it is nil, and may be A; where it says so, T too. Weights are finite and >= 0, stored by columns:
-- one for each sample (1 x N) or for each target (S_L x N). A weight of 0 leaves its term J_in out,
-- even where A or T is NaN; where all are 0, J and Delta are 0. J = sum of w_in J_in / W, with
--     "mean"       W = sum w_in / S_L, over the samples, the paper's 1/N without weights; of the
--                  losses "over targets" W = sum w_in
--     "batchmean"  W = sum w_in / S_L
--     "sum"        W = 1
-- and the second result is sum w_in / S_L, by which means of batches are put together. Sources:
-- doc/equations.md.

---@alias Reduction "mean"|"batchmean"|"sum"|nil

---J = 1/(2N) sum over samples of |a - t|^2 (2.18), and Delta = (A - T)/N (2.23); J_in = (a_in -
---t_in)^2 / 2.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.squared_error(Delta, A, T, weights, reduction) end

---J_in = - c_i t'_in log softmax(z)_in with t' = (1 - smoothing) t + smoothing / S_L: without
---smoothing and class weights c, J = -1/N sum over samples of sum_i t_i log softmax(z)_i, and
---Delta = dJ/dZ = (softmax(Z) sum_i t_i - T)/N. By a shifted log-sum-exp: exact to rounding for
---logits of any size. A label counts as t_in = 1 for its class, and may be anything where all
---weights of its sample are 0. With class weights the total of labels is the sum of w_n c of their
---classes, as in PyTorch; that of columns is as ever.
---@param Delta Matrix?          S_L x N; may be Z
---@param Z Matrix               S_L x N, logits
---@param T Matrix               S_L x N target columns, or 1 x N labels (classes counted from 1)
---@param weights? Matrix        1 x N or S_L x N
---@param reduction? Reduction
---@param smoothing? number      from 0 to 1, default 0
---@param class_weights? Matrix  S_L x 1, finite and >= 0
---@return number J, number total
function core.softmax_cross_entropy(Delta, Z, T, weights, reduction, smoothing, class_weights) end

---Over the samples: J_in = max(0, margin - z_yn + z_in)^power / S_L for i other than the label y.
---@param Delta Matrix?    S_L x N; may be Z
---@param Z Matrix         S_L x N, S_L > 1
---@param T Matrix         1 x N labels
---@param weights Matrix?  1 x N or S_L x N
---@param reduction Reduction
---@param margin number
---@param power number     1 or 2
---@return number J, number total
function core.multi_margin(Delta, Z, T, weights, reduction, margin, power) end

---Over the samples: J_n = 1 - a.t / (|a| |t|), a norm counting as 1e-8 where it is less. Weights of
---single targets count in all three products, and their mean for J_n.
---@param Delta Matrix?    S_L x N; may be A
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.cosine(Delta, A, T, weights, reduction) end

---Over targets: J_in = (log v + (m - t)^2 / v) / 2, and where full is not 0 log(2 pi) / 2 more, the
---means m in the first S_L rows of A, the variances v in the others; v counts as epsilon where it
---is less, and dJ/dv is taken there.
---@param Delta Matrix?    2 S_L x N; may be A
---@param A Matrix         2 S_L x N
---@param T Matrix         S_L x N
---@param weights Matrix?  1 x N or S_L x N
---@param reduction Reduction
---@param epsilon number
---@param full number
---@return number J, number total
function core.gaussian_nll(Delta, A, T, weights, reduction, epsilon, full) end

---Over targets: J_in = (a - t)^2.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.mean_squared_error(Delta, A, T, weights, reduction) end

---Over targets: J_in = |a - t|, whose derivative is taken as 0 at 0.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.mean_absolute_error(Delta, A, T, weights, reduction) end

---Over targets: J_in = d^2 / 2 for |d| < delta, else delta (|d| - delta / 2), d = a - t.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights Matrix?  1 x N or S_L x N
---@param reduction Reduction
---@param delta number
---@return number J, number total
function core.huber(Delta, A, T, weights, reduction, delta) end

---Over targets: J_in = d^2 / (2 beta) for |d| < beta, else |d| - beta / 2, d = a - t.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights Matrix?  1 x N or S_L x N
---@param reduction Reduction
---@param beta number
---@return number J, number total
function core.smooth_l1(Delta, A, T, weights, reduction, beta) end

---Over targets: J_in = log cosh(a - t).
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.log_cosh(Delta, A, T, weights, reduction) end

---Over targets: J_in = max(tau d, (tau - 1) d), d = t - a.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights Matrix?  1 x N or S_L x N
---@param reduction Reduction
---@param tau number
---@return number J, number total
function core.quantile(Delta, A, T, weights, reduction, tau) end

---Over targets: J_in = -t log a - (1 - t) log(1 - a), logarithms being -100 at least.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.binary_cross_entropy(Delta, A, T, weights, reduction) end

---Over targets: J_in = (alpha t + (1 - alpha)(1 - t)) m^gamma c, with p = 1 / (1 + e^-a),
---c = -t log p - (1 - t) log(1 - p) and m = p (1 - t) + (1 - p) t.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights Matrix?  1 x N or S_L x N
---@param reduction Reduction
---@param gamma number
---@param alpha number
---@return number J, number total
function core.focal(Delta, A, T, weights, reduction, gamma, alpha) end

---Over targets: J_in = max(0, 1 - y a), y = 1 where t > 0, else -1.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.hinge(Delta, A, T, weights, reduction) end

---Over targets: J_in = max(0, 1 - y a)^2, y = 1 where t > 0, else -1.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.squared_hinge(Delta, A, T, weights, reduction) end

---Over targets: J_in = t (log t - a), 0 where t = 0.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights? Matrix  1 x N or S_L x N
---@param reduction? Reduction
---@return number J, number total
function core.kl_divergence(Delta, A, T, weights, reduction) end

---Over targets: J_in = -p_i t log s - (1 - t) log(1 - s), s = 1 / (1 + e^-z).
---@param Delta Matrix?     S_L x N; may be Z or T
---@param Z Matrix          S_L x N, logits
---@param T Matrix          S_L x N
---@param weights? Matrix   1 x N or S_L x N
---@param reduction? Reduction
---@param positive? Matrix  p, S_L x 1 or 1 x 1 for all rows; default 1
---@return number J, number total
function core.sigmoid_cross_entropy(Delta, Z, T, weights, reduction, positive) end

---Over targets: J_in = e^a - t a where log_input is not 0, else a - t log(a + epsilon); where full
---is not 0, t log t - t + log(2 pi t) / 2 more for t > 1.
---@param Delta Matrix?    S_L x N; may be A or T
---@param A Matrix         S_L x N
---@param T Matrix         S_L x N
---@param weights Matrix?  1 x N or S_L x N
---@param reduction Reduction
---@param log_input number
---@param full number
---@param epsilon number
---@return number J, number total
function core.poisson(Delta, A, T, weights, reduction, log_input, full, epsilon) end

-- Steps of optimisers, each one pass over memory. p: parameters of any shape; g: dJ/dp; what is
-- kept between steps follows, zeros at the start: matrices like p, in its order, that share no
-- memory. Numbers are finite in the element type; decay is 0 unless it is given. A rate of 0 leaves
-- p as it is.

---p = p - rate (g + decay p)
---@param p Matrix
---@param g Matrix
---@param rate number    >= 0
---@param decay? number  >= 0, L2 penalty decay/2 |p|^2 in the gradient
---@return Matrix p
function core.sgd_update(p, g, rate, decay) end

---v = mu v + (g + decay p), then p = p - rate v; with Nesterov p = p - rate (g + decay p + mu v)
---(Sutskever et al. 2013, in PyTorch's form).
---@param p Matrix
---@param g Matrix
---@param v Matrix          velocity
---@param rate number       >= 0
---@param mu number         0 <= mu < 1
---@param nesterov? boolean
---@param decay? number     >= 0
---@return Matrix p
function core.momentum_update(p, g, v, rate, mu, nesterov, decay) end

---p = (1 - rate decay) p - rate sign(beta1 m + (1 - beta1) g), then m = beta2 m + (1 - beta2) g
---(Chen et al. 2023, algorithm 2).
---@param p Matrix
---@param g Matrix
---@param m Matrix       running mean of g
---@param rate number    >= 0
---@param beta1 number   0 <= beta1 < 1
---@param beta2 number   0 <= beta2 < 1
---@param decay? number  >= 0
---@return Matrix p
function core.lion_update(p, g, m, rate, beta1, beta2, decay) end

---Adam (Kingma and Ba 2015, algorithm 1), with decoupled weight decay (Loshchilov and Hutter 2019).
---@param p Matrix
---@param g Matrix
---@param m Matrix         first moment
---@param v Matrix         second moment
---@param rate number      >= 0
---@param beta1 number     0 <= beta1 < 1
---@param beta2 number     0 <= beta2 < 1
---@param epsilon number   > 0
---@param step integer     1 at the first update
---@param decay? number    >= 0: p is first multiplied by 1 - rate decay
---@return Matrix p
function core.adam_update(p, g, m, v, rate, beta1, beta2, epsilon, step, decay) end

---AMSGrad (Reddi et al. 2018): as Adam, with the largest v so far in the place of v.
---@param p Matrix
---@param g Matrix
---@param m Matrix
---@param v Matrix
---@param largest Matrix  the largest v, element by element
---@param rate number
---@param beta1 number
---@param beta2 number
---@param epsilon number
---@param step integer
---@param decay? number
---@return Matrix p
function core.amsgrad_update(p, g, m, v, largest, rate, beta1, beta2, epsilon, step, decay) end

---AdaMax (Kingma and Ba 2015, algorithm 2): p = p - rate / (1 - beta1^step) m / u with u =
---max(beta2 u, |g| + epsilon), in PyTorch's form; g + decay p in place of g.
---@param p Matrix
---@param g Matrix
---@param m Matrix         first moment
---@param u Matrix         largest |g|, which fades by beta2
---@param rate number      >= 0
---@param beta1 number     0 <= beta1 < 1
---@param beta2 number     0 <= beta2 < 1
---@param epsilon number   > 0
---@param step integer     1 at the first update
---@param decay? number    >= 0
---@return Matrix p
function core.adamax_update(p, g, m, u, rate, beta1, beta2, epsilon, step, decay) end

---NAdam (Dozat 2016): p = p - rate (now g + ahead m) / (sqrt(v / (1 - beta2^step)) + epsilon), with
---Adam's m and v; g + decay p in place of g.
---@param p Matrix
---@param g Matrix
---@param m Matrix         first moment
---@param v Matrix         second moment
---@param rate number      >= 0
---@param beta1 number     0 <= beta1 < 1
---@param beta2 number     0 <= beta2 < 1
---@param epsilon number   > 0
---@param step integer     1 at the first update
---@param now number       >= 0, weight of g, with its correction
---@param ahead number     >= 0, weight of m, with its correction
---@param decay? number    >= 0
---@return Matrix p
function core.nadam_update(p, g, m, v, rate, beta1, beta2, epsilon, step, now, ahead, decay) end

---AdaGrad (Duchi et al. 2011): v = v + g^2, p = p - rate g / (sqrt v + epsilon), in PyTorch's form;
---g + decay p in place of g.
---@param p Matrix
---@param g Matrix
---@param v Matrix         sum of g^2
---@param rate number      >= 0
---@param epsilon number   > 0
---@param decay? number    >= 0
---@return Matrix p
function core.adagrad_update(p, g, v, rate, epsilon, decay) end

---AdaDelta (Zeiler 2012, algorithm 1): v = rho v + (1 - rho) g^2, d = sqrt(w + epsilon) / sqrt(v +
---epsilon) g, w = rho w + (1 - rho) d^2, p = p - rate d; g + decay p in place of g.
---@param p Matrix
---@param g Matrix
---@param v Matrix         running mean of g^2
---@param w Matrix         running mean of d^2
---@param rate number      >= 0
---@param rho number       0 <= rho < 1
---@param epsilon number   > 0
---@param decay? number    >= 0
---@return Matrix p
function core.adadelta_update(p, g, v, w, rate, rho, epsilon, decay) end

---RMSprop (Tieleman and Hinton 2012), in PyTorch's form: v = alpha v + (1 - alpha) g^2, d = g /
---(sqrt v + epsilon), p = p - rate d. With m it is centered (Graves 2013): m = alpha m + (1 -
---alpha) g, and v - m^2 is in the place of v. With w it has momentum: w = mu w + d is in the place
---of d. g + decay p in place of g.
---@param p Matrix
---@param g Matrix
---@param v Matrix         running mean of g^2
---@param m Matrix?        running mean of g
---@param w Matrix?        velocity
---@param rate number      >= 0
---@param alpha number     0 <= alpha < 1
---@param epsilon number   > 0
---@param mu number        0 <= mu < 1; of no account without w
---@param decay? number    >= 0
---@return Matrix p
function core.rmsprop_update(p, g, v, m, w, rate, alpha, epsilon, mu, decay) end

---Rprop without backtracking, iRprop- (Igel and Huesken 2003), which is PyTorch's Rprop too: each
---element has a step length d of its own, p = p - d sign(g). Where g has the sign that it had
---before, d = min(eta_plus d, step_max); where it has the other, d = max(eta_minus d, step_min) and
---g = 0.
---@param p Matrix
---@param g Matrix
---@param before Matrix     g of the step before
---@param length Matrix     d
---@param rate number       >= 0: the first d; where it is 0 nothing changes at all
---@param eta_minus number  0 <= eta_minus < 1
---@param eta_plus number   >= 0, usually above 1
---@param step_min number   >= 0
---@param step_max number   >= 0
---@return Matrix p
function core.rprop_update(p, g, before, length, rate, eta_minus, eta_plus, step_min, step_max)
end

---As rprop_update, but where g has changed its sign g stays, and the step with the shorter d is
---made (Riedmiller 1994; Rprop- of Igel and Huesken 2003).
---@param p Matrix
---@param g Matrix
---@param before Matrix     g of the step before
---@param length Matrix     d
---@param rate number       as in rprop_update, and so the others
---@param eta_minus number
---@param eta_plus number
---@param least number      step_min of rprop_update
---@param most number       step_max of rprop_update
---@return Matrix p
function core.rprop_minus_update(p, g, before, length, rate, eta_minus, eta_plus, least, most)
end

---As rprop_update, but where g has changed its sign the step before is taken back, with the d that
---it had (Riedmiller and Braun 1993; Rprop+ of Igel and Huesken 2003).
---@param p Matrix
---@param g Matrix
---@param before Matrix     g of the step before
---@param length Matrix     d
---@param rate number       as in rprop_update, and so the others
---@param eta_minus number
---@param eta_plus number
---@param least number      step_min of rprop_update
---@param most number       step_max of rprop_update
---@return Matrix p
function core.rprop_plus_update(p, g, before, length, rate, eta_minus, eta_plus, least, most)
end

---Column j of X = column indices[first + j - 1] of S, for j = 1..X.cols.
---@param X Matrix            rows as S
---@param S Matrix            of either type; elements of the other are rounded to X's
---@param indices integer[]?  columns of S; nil for 1, 2, 3, ...
---@param first? integer      default 1
---@return Matrix X
function core.gather(X, S, indices, first) end

---Bytes that are put together piece by piece, with no memory but for them: a string would need its
---pieces beside it. `#octets` is how many there are, tostring(octets) a string of them.
---@class Octets
local Octets = {}

---Put bytes behind those there are. Raises where there is no room for all of them.
---@param bytes string|Octets
---@return Octets self
function Octets:append(bytes) end

---As string.sub.
---@param first integer
---@param last? integer
---@return string
function Octets:sub(first, last) end

---Octets with room for so many bytes, and none there yet.
---@param capacity integer
---@return Octets
function core.octets(capacity) end

---One way through a table in text, chunk by chunk (perilune.data.csv makes tables of it). Each
---method goes on where the last one has ended, and gives the place from which on bytes are left, to
---be put before the next chunk: a cell counts once its end has come. A fault of the text is nil and
---its name, line and column: "ragged" (then the cells of the row in place of the column), "too
---wide", "zero byte", "utf8" and "after quote" (also the byte), "not closed", "no number" and "not
---finite" (also the text), "more rows".
---@class Cells
local Cells = {}

---Count cells of each kind. The names of a column are then numbered by the lines on which they came
---first; columns of numbers alone have none, and no column more than 1001.
---@param bytes string
---@param is_last boolean  nothing follows
---@return integer?
---@return string?
---@return integer? ...
function Cells:count(bytes, is_last) end

---Fill the columns of a matrix, one for each row of text, with numbers, labels, and NaN for missing
---cells. The names of a column are labelled in the order in which they come.
---@param bytes string
---@param is_last boolean
---@param values Matrix    as many rows as the plan has columns for, stored by columns
---@param plan string      a letter for each column: n for numbers, c for categories, others for
---those that are left out
---@return integer?
---@return string?
---@return integer? ...
function Cells:fill(bytes, is_last, values, plan) end

---The first rows, in cells of any number of columns, up to a fault that is not in the first: lists
---of texts, with the fields line and kinds: a list of letters, n for a number, m for a missing
---cell, w for another word.
---@param bytes string
---@param is_last boolean
---@param most integer
---@return table[]?
---@return string?
---@return integer? ...
function Cells:rows(bytes, is_last, most) end

---What is known of column k: a table of the counts missing, numbers, codes (numbers like 007),
---words, dates (words too), names (different ones), the line first_word, least and most, and
---is_full, that no more names are kept; and the table of the names.
---@param k integer
---@return table
---@return table<string, integer>
function Cells:column(k) end

---@return integer rows, integer line
function Cells:place() end

---A new way through a table.
---@param columns integer      at most 131072; 0: any number up to that
---@param has_header boolean   the first row is none of the table's
---@param separator string     one byte
---@param quote string         one byte, or "" for none
---@param point string         one byte, of decimal numbers
---@param markers string[]     texts that stand for a missing cell beside the empty one, at most 64
---@return Cells
function core.cells(columns, has_header, separator, quote, point, markers) end

---As gather, from samples of X.rows consecutive unsigned bytes each: column j of X = scale * byte.
---@param X Matrix
---@param bytes string|Octets
---@param offset integer      bytes before the first sample
---@param scale number
---@param indices integer[]?  samples, counted from 1; nil for 1, 2, 3, ...
---@param first? integer      default 1
---@return Matrix X
function core.gather_bytes(X, bytes, offset, scale, indices, first) end

---C's rows from `first` on = the rows of A. Raises unless they lie within C.
---@param C Matrix         stored by columns
---@param first integer    counted from 1
---@param A Matrix         any rows x the columns of C, stored by columns; no part of C
---@return Matrix C
function core.put_rows(C, first, A) end

---A = the rows of C from `first` on.
---@param A Matrix         any rows x the columns of C, stored by columns; no part of C
---@param C Matrix         stored by columns
---@param first integer    counted from 1
---@return Matrix A
function core.take_rows(A, C, first) end

---The Cholesky factor of a symmetric positive definite matrix: R upper triangular, R^t R = A. Only
---the upper triangle of A is read. For small matrices: it takes n^3 / 3 operations, by one thread.
---@param R Matrix   n x n by columns; not A
---@param A Matrix   n x n by columns
---@return Matrix?   R; nil where A is not positive definite, and R is then unfinished
function core.cholesky(R, A) end

---The solution X of R^t R X = B, and so of A X = B where R is the Cholesky factor of A.
---@param X Matrix   n x m by columns; may be B
---@param R Matrix   n x n by columns, from `cholesky`
---@param B Matrix   n x m by columns
---@return Matrix X
function core.cholesky_solve(X, R, B) end

---@class System  perilune.core.system: what Lua itself cannot ask of the operating system
local system = {}

---@return number  seconds on a clock that never runs backwards
function system.clock() end

---@return integer  processors this process may run on, those that share a core counted as one:
---they share its arithmetic units, so that a second thread there gains nothing
function system.processors() end

---@param file file*
---@return boolean
function system.isatty(file) end

---A new file, open for writing. What has the name already, a link as well, is refused.
---@param path string
---@param permissions? integer  chmod's nine bits, 0 to 511; default: the umask decides
---@return file*?, string?  nil and a message on failure
function system.create(path, permissions) end

---Flush a file opened for writing to the disk itself.
---@param file file*
---@return true?, string?  nil and a message on failure
function system.sync(file) end

---Flush a directory, so that a rename in it survives a power loss.
---@param path string
---@return true?, string?  nil and a message on failure
function system.sync_directory(path) end

---From now on the first Ctrl-C (SIGINT) writes `words` to stderr and sets a flag; the second ends
---the process as usual, and so does the first with `ends`. Process-wide.
---@param words? string   at most 160 bytes; default: none
---@param ends? boolean
function system.catch_interrupt(words, ends) end

---@return boolean  Ctrl-C has been pressed since catch_interrupt
function system.interrupted() end

return { float32 = core, float64 = core, system = system }
