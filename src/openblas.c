/*
** openblas.c - a module of its own, because the system loads OpenBLAS with whatever is linked with it (blas.c).
*/
#include "blas.h"

extern const Blas perilune_blas __attribute__((visibility("default")));

const Blas perilune_blas = {cblas_sgemm, cblas_dgemm, openblas_set_num_threads};
