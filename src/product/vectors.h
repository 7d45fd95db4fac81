/*
** vectors.h - products in which A, B or C is a vector.
*/
#ifndef PERILUNE_VECTORS_H
#define PERILUNE_VECTORS_H

#include "product/block_product.h"

/*
** C = op(A) op(B), or C + op(A) op(B), where k is 1, or C is a row and A the vector, or C is a
** column and B the vector. Which of the latter is said, because a block of a row may be as small as
** one element, and then has the shape of both.
*/
void vectors_compute(const BlockProduct *p, bool C_is_row);

#endif
