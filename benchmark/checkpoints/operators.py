"""What a user's own model may compute: the operators and sizes of its graph that are served. Pure.

Most of ATen trusts its caller: backward passes write where an index points, `empty` shows what lay in memory
before, the parts of `batch_norm` read as many statistics as they expect. What is listed here checks shapes
and indices itself, and is what `torch.export` writes for usual models in evaluation mode. Everything else is
refused by name, a new operator of a new PyTorch too. `guards` checks those few that do not.
"""

from __future__ import annotations

import re

import torch
from torch._ops import OpOverload

ATEN = "torch.ops.aten."
# One line a topic; without an overload `.default` is meant.
ACTIVATIONS = """
    relu relu_ relu6 relu6_ leaky_relu leaky_relu_ elu elu_ selu selu_ celu gelu silu silu_ mish mish_ glu
    prelu softplus hardtanh hardtanh_ hardswish hardswish_ hardsigmoid hardsigmoid_ hardshrink softshrink
    sigmoid sigmoid_ tanh tanh_ log_sigmoid softmax.int log_softmax.int _softmax _log_softmax dropout
    dropout_ feature_dropout alpha_dropout
"""
LAYERS = """
    linear bilinear embedding conv1d conv1d.padding conv2d conv2d.padding conv3d conv3d.padding
    conv_transpose1d conv_transpose2d.input conv_transpose3d.input batch_norm layer_norm group_norm
    instance_norm rms_norm scaled_dot_product_attention lstm.input lstm_cell gru.input gru_cell
    rnn_tanh.input rnn_tanh_cell rnn_relu.input rnn_relu_cell max_pool1d max_pool2d max_pool3d avg_pool1d
    avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d
    adaptive_max_pool2d adaptive_max_pool3d upsample_nearest2d.vec upsample_bilinear2d.vec pixel_shuffle
    pixel_unshuffle pad constant_pad_nd     """
ELEMENTWISE = """
    add.Tensor add.Scalar add_.Tensor add_.Scalar sub.Tensor sub.Scalar sub_.Tensor sub_.Scalar
    rsub.Scalar rsub.Tensor mul.Tensor mul.Scalar mul_.Tensor mul_.Scalar div.Tensor div.Scalar
    div_.Tensor div_.Scalar floor_divide floor_divide.Scalar
    remainder.Tensor remainder.Scalar fmod.Tensor fmod.Scalar pow.Tensor_Scalar pow.Tensor_Tensor
    pow.Scalar neg abs sign square sqrt rsqrt reciprocal exp exp_ exp2 expm1 log log2 log10 log1p erf erfc
    sin cos tan asin acos atan atan2 sinh cosh asinh acosh atanh floor ceil round trunc frac clamp
    clamp.Tensor clamp_ clamp_min clamp_max clamp_min_ clamp_max_ maximum minimum lerp.Tensor lerp.Scalar
    nan_to_num isnan isinf isfinite addcmul addcdiv eq.Tensor eq.Scalar ne.Tensor ne.Scalar lt.Tensor
    lt.Scalar le.Tensor le.Scalar gt.Tensor gt.Scalar ge.Tensor ge.Scalar logical_not logical_and
    logical_or logical_xor bitwise_not bitwise_and.Tensor bitwise_and.Scalar bitwise_or.Tensor
    bitwise_or.Scalar bitwise_xor.Tensor bitwise_xor.Scalar __and__.Tensor __or__.Tensor __xor__.Tensor
    where.self where.ScalarSelf where.ScalarOther where.Scalar masked_fill.Scalar masked_fill.Tensor
    masked_fill_.Scalar masked_fill_.Tensor fill_.Scalar fill_.Tensor fill.Scalar zero_ copy_
"""
REDUCTIONS = """
    sum sum.dim_IntList mean mean.dim prod prod.dim_int amax amin max max.dim max.other min min.dim
    min.other argmax argmin any any.dim any.dims all all.dim all.dims logsumexp norm.Scalar
    norm.ScalarOpt_dim linalg_norm linalg_vector_norm cosine_similarity cumsum cumprod sort sort.stable
    argsort argsort.stable topk std std.dim std.correction var var.dim var.correction var_mean
    var_mean.dim var_mean.correction std_mean.dim std_mean.correction median.dim
"""
PRODUCTS = "matmul mm bmm mv dot addmm baddbmm outer einsum"
SHAPES = """
    view reshape view_as reshape_as flatten.using_ints unflatten.int permute transpose.int t numpy_T mT
    movedim.int movedim.intlist swapaxes unsqueeze squeeze squeeze.dim squeeze.dims expand expand_as
    repeat tile cat concat stack hstack vstack split.Tensor split.sizes split_with_sizes chunk unbind.int
    narrow slice.Tensor select.int flip roll unfold tril triu diagonal index.Tensor index_select gather
    index_put index_put_ scatter.src scatter.value scatter_.src scatter_.value scatter_add scatter_add_
    one_hot clone contiguous detach detach_ alias lift_fresh_copy to.dtype to.device to.dtype_layout
    to.other type_as _to_copy zeros zeros_like ones ones_like full full_like new_zeros new_ones new_full
    arange arange.start arange.start_step scalar_tensor linspace sym_size.int sym_numel
    _assert_tensor_metadata
"""
ARITHMETIC = "getitem add sub mul floordiv truediv mod neg eq ne lt le gt ge and_ or_"
SYMBOLIC = "int float max min not ite sum"
OTHER = {
    *(f"_operator.{name}" for name in ARITHMETIC.split()),
    *(f"torch.sym_{name}" for name in SYMBOLIC.split()),
    "math.ceil",
    "math.floor",
    "math.trunc",
    "torch.ops.higher_order.cond",
    "torch.ops.higher_order.wrap_with_set_grad_enabled",
}
SERVED = OTHER | {
    ATEN + (name if "." in name else f"{name}.default")
    for topic in (ACTIVATIONS, LAYERS, ELEMENTWISE, REDUCTIONS, PRODUCTS, SHAPES)
    for name in topic.split()
}
SYMBOL = r"Symbol\('[su]\d{1,9}'(?:, (?:positive|integer|nonnegative)=True){0,3}\)"
WORDS = (
    "Integer Add Mul FloorDiv IntTrueDiv CleanDiv CeilDiv PythonMod Mod Max Min Eq Ne Ge Gt Le Lt True False"
)
# No two parts can be read in two ways, so the time is linear in the text.
TOKEN = re.compile(rf"(?:{SYMBOL}|[su]\d{{1,9}}|-?\d{{1,19}}|{'|'.join(WORDS.split())})(?!\w)|, |,|\(|\)")
LONGEST_SIZE = 500


def operator_served(target: object) -> bool:
    """Whether the graph may call this: on the list, and an operator of this PyTorch."""
    if not isinstance(target, str) or target not in SERVED:
        return False
    if not target.startswith(ATEN):
        return True
    packet, overload = target.removeprefix(ATEN).split(".")
    return isinstance(getattr(getattr(torch.ops.aten, packet, None), overload, None), OpOverload)


def size_served(text: object) -> bool:
    """Whether a size is a formula as PyTorch writes it, which SymPy will evaluate as Python: no powers."""
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_SIZE:
        return False
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if found is None:
            return False
        at = found.end()
    return True
