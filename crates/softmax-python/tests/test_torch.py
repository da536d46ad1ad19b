"""`softmax_fused.torch`, compared with PyTorch's own functions."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F

from softmax_fused.torch import LinearCrossEntropyLoss, linear_cross_entropy, row_facts

N, D, C = 13, 7, 11


def tensors(dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    input = torch.randn(N, D, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    weight = torch.randn(C, D, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    bias = torch.randn(C, generator=generator, dtype=torch.float64).to(dtype).requires_grad_()
    target = torch.randint(0, C, (N,), generator=generator)
    return input, weight, bias, target


def theirs(input, linear_weight, target, *, linear_bias=None, z_loss=0.0, softcap=None, temperature=1.0, reduction="mean", **options):
    logits = F.linear(input, linear_weight, linear_bias) / temperature
    if softcap is not None:
        logits = softcap * torch.tanh(logits / softcap)
    of_z = z_loss * torch.logsumexp(logits, 1) ** 2
    if not target.is_floating_point():
        of_z = of_z * (target != options.get("ignore_index", -100))
    loss = F.cross_entropy(logits, target, reduction=reduction, **options)
    if reduction == "none":
        return loss + of_z
    if reduction == "sum" or z_loss == 0:
        return loss + of_z.sum()
    kept = torch.ones(len(input), dtype=torch.bool) if target.is_floating_point() else target != -100
    return loss + of_z.sum() / kept.sum()


OPTIONS = {
    "plain": {},
    "smoothing": {"label_smoothing": 0.1},
    "weight": {"weight": torch.linspace(0.1, 2, C, dtype=torch.float64)},
    "smoothing and weight": {"label_smoothing": 0.3, "weight": torch.linspace(0.1, 2, C, dtype=torch.float64)},
    "z-loss": {"z_loss": 1e-2},
    "softcap and temperature": {"softcap": 5.0, "temperature": 0.7},
}


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["indices", "ignored", "probabilities"])
def test_losses_and_gradients_are_pytorchs(reduction, options, kind):
    input, weight, bias, target = tensors()
    options = {**OPTIONS[options], "reduction": reduction, "linear_bias": bias}
    if kind == "ignored":
        target[::3] = -100
    if kind == "probabilities":
        target = torch.rand(N, C, dtype=torch.float64).softmax(1)
    upstream = torch.linspace(-1, 2, N, dtype=torch.float64)
    found, expected = linear_cross_entropy(input, weight, target, **options), theirs(input, weight, target, **options)
    torch.testing.assert_close(found, expected)
    if reduction != "none":
        upstream = torch.tensor(0.3, dtype=torch.float64)
    parameters = (input, weight, bias)
    of_found = torch.autograd.grad(found, parameters, upstream)
    of_expected = torch.autograd.grad(expected, parameters, upstream)
    for ours, its in zip(of_found, of_expected):
        torch.testing.assert_close(ours, its)


def test_it_agrees_with_the_function_of_its_name():
    function = getattr(F, "linear_cross_entropy", None)
    if function is None:
        pytest.skip("this PyTorch has no linear_cross_entropy")
    input, weight, bias, target = tensors()
    for reduction in ("mean", "sum", "none"):
        found = linear_cross_entropy(input, weight, target, linear_bias=bias, reduction=reduction)
        torch.testing.assert_close(found, function(input, weight, target, linear_bias=bias, reduction=reduction))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradcheck_passes(reduction):
    input, weight, bias, target = tensors()
    target[2] = -100

    def loss(input, weight, bias):
        return linear_cross_entropy(
            input,
            weight,
            target,
            linear_bias=bias,
            reduction=reduction,
            label_smoothing=0.1,
            z_loss=1e-2,
            softcap=6.0,
            temperature=1.3,
            weight=torch.linspace(0.5, 2, C, dtype=torch.float64),
        )

    assert torch.autograd.gradcheck(loss, (input, weight, bias))


def test_the_z_loss_counts_class_156_of_uint8():
    input, weight = torch.randn(2, 4), torch.randn(200, 4)
    target = torch.tensor([156, 3])
    found = linear_cross_entropy(input, weight, target.to(torch.uint8), z_loss=0.1, return_z_loss=True)
    assert found == linear_cross_entropy(input, weight, target, z_loss=0.1, return_z_loss=True)


def test_a_negated_gradient_from_upstream_is_read():
    input, weight, _, target = tensors()
    losses = linear_cross_entropy(input, weight, target, reduction="none")
    upstream = torch.ones(N, dtype=input.dtype)
    expected = torch.autograd.grad(losses, input, -upstream, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(losses, input, torch._neg_view(upstream))[0], expected)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_with_in_float32(dtype, reduction):
    input, weight, bias, target = tensors(dtype)
    wide = [tensor.detach().float().requires_grad_() for tensor in (input, weight, bias)]
    found = linear_cross_entropy(input, weight, target, linear_bias=bias, reduction=reduction)
    expected = linear_cross_entropy(*wide[:2], target, linear_bias=wide[2], reduction=reduction)
    assert found.dtype == torch.float32 and torch.equal(found, expected)
    found.sum().backward()
    expected.sum().backward()
    for narrow, its in zip((input, weight, bias), wide):
        assert narrow.grad.dtype == dtype
        assert torch.equal(narrow.grad, its.grad.to(dtype))


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_only_required_gradients_are_there(reduction):
    input, weight, bias, target = tensors()
    for required in range(1, 8):
        given = [tensor.detach().requires_grad_(bool(required >> k & 1)) for k, tensor in enumerate((input, weight, bias))]
        loss = linear_cross_entropy(*given[:2], target, linear_bias=given[2], reduction=reduction)
        loss.sum().backward()
        assert [tensor.grad is not None for tensor in given] == [bool(required >> k & 1) for k in range(3)]
    with torch.no_grad():
        assert not linear_cross_entropy(input, weight, target, reduction=reduction).requires_grad
    assert not linear_cross_entropy(input.detach(), weight.detach(), target, reduction=reduction).requires_grad


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_graph_that_is_retained_gives_its_gradients_again(reduction):
    input, weight, _, target = tensors()
    loss = linear_cross_entropy(input, weight, target, reduction=reduction).sum()
    first = torch.autograd.grad(loss, (input, weight), retain_graph=True)
    second = torch.autograd.grad(3 * loss, (input, weight))
    for a, b in zip(first, second):
        torch.testing.assert_close(3 * a, b)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_second_derivative_is_refused():
    input, weight, _, target = tensors()
    for reduction in ("mean", "none"):
        loss = linear_cross_entropy(input, weight, target, reduction=reduction).sum()
        with pytest.raises(RuntimeError, match="no second derivative"):
            torch.autograd.grad(loss, input, create_graph=True)


def test_a_single_sample_has_no_axis():
    input, weight, _, target = tensors()
    for reduction in ("mean", "sum", "none"):
        found = linear_cross_entropy(input[0], weight, target[0], reduction=reduction)
        assert found.shape == ()
        torch.testing.assert_close(found, F.cross_entropy(F.linear(input[0], weight), target[0], reduction=reduction))
        torch.autograd.grad(found, input)
    soft = torch.rand(C, dtype=torch.float64).softmax(0)
    torch.testing.assert_close(
        linear_cross_entropy(input[0], weight, soft), F.cross_entropy(F.linear(input[0], weight), soft)
    )


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_z_loss_comes_back_apart(reduction):
    input, weight, _, target = tensors()
    target[1] = -100
    with_z, of_z = linear_cross_entropy(input, weight, target, z_loss=0.1, reduction=reduction, return_z_loss=True)
    without = linear_cross_entropy(input, weight, target, reduction=reduction)
    torch.testing.assert_close(with_z - of_z, without)
    assert not of_z.requires_grad


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_less_memory_changes_no_bit(reduction):
    generator = torch.Generator().manual_seed(0)
    input = torch.randn(700, D, generator=generator, requires_grad=True)
    weight = torch.randn(300, D, generator=generator, requires_grad=True)
    target = torch.randint(0, 300, (700,), generator=generator)
    gradients = []
    for memory in (None, 0):
        loss = linear_cross_entropy(input, weight, target, reduction=reduction, memory=memory)
        gradients.append(torch.autograd.grad(loss.sum(), (input, weight)))
    assert all(torch.equal(a, b) for a, b in zip(*gradients))


def test_all_ignored_is_pytorchs_nan():
    input, weight, _, target = tensors()
    loss = linear_cross_entropy(input, weight, torch.full_like(target, -100))
    assert loss.isnan()


def test_strided_tensors_are_read_where_they_lie():
    input, weight, _, target = tensors()
    wide = torch.empty(N, 2 * D, dtype=torch.float64)
    wide[:, ::2] = input.detach()
    found = linear_cross_entropy(wide[:, ::2].requires_grad_(), weight.detach().t().contiguous().t(), target)
    torch.testing.assert_close(found, linear_cross_entropy(input, weight, target))


def test_the_module_is_pytorchs_with_other_options():
    torch.manual_seed(0)
    module = LinearCrossEntropyLoss(D, C, bias=True, label_smoothing=0.1, dtype=torch.float64)
    input, _, _, target = tensors()
    expected = F.cross_entropy(module.linear(input), target, label_smoothing=0.1)
    torch.testing.assert_close(module(input, target), expected)
    module(input, target).backward()
    assert sorted(module.state_dict()) == ["linear.bias", "linear.weight"]
    assert all(parameter.grad is not None for parameter in module.parameters())
    assert "label_smoothing=0.1" in repr(module)


def test_training_goes_down_under_gradient_accumulation_and_clipping():
    torch.manual_seed(0)
    module = LinearCrossEntropyLoss(D, C)
    input, target = torch.randn(64, D), torch.randint(0, C, (64,))
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1)
    losses = []
    for _ in range(30):
        for part in range(2):
            loss = module(input[part * 32 :][:32], target[part * 32 :][:32]) / 2
            loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 1.5


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_recording_no_gradient_is_computed(mode, reduction, monkeypatch):
    import softmax_fused.torch as module

    asked = []

    class Core:
        Problem, BFloat16 = module._core.Problem, module._core.BFloat16

        @staticmethod
        def evaluate(problem, outputs, *rest):
            asked.append(outputs)
            return core.evaluate(problem, outputs, *rest)

        @staticmethod
        def forward(problem, outputs, *rest):
            asked.append(outputs)
            return core.forward(problem, outputs, *rest)

    core = module._core
    monkeypatch.setattr(module, "_core", Core)
    input, weight, _, target = tensors()
    with mode():
        linear_cross_entropy(input, weight, target, reduction=reduction)
    assert asked in ([[]], [["sample_loss"]])


def test_the_loss_is_on_the_cpu_whatever_the_default_device():
    input, weight, _, target = tensors()
    with torch.device("meta"):
        loss, of_z = linear_cross_entropy(input, weight, target, z_loss=0.1, return_z_loss=True)
        plain = linear_cross_entropy(input, weight, target)
    assert {loss.device.type, of_z.device.type, plain.device.type} == {"cpu"}


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_function_breaks_its_graph_at_most():
    input, weight, _, target = tensors(torch.float32)

    @torch.compile(backend="eager")
    def loss(input, weight):
        return linear_cross_entropy(torch.sin(input), weight, target) * 2

    found, expected = loss(input, weight), 2 * linear_cross_entropy(torch.sin(input), weight, target)
    torch.testing.assert_close(found, expected)
    for ours, its in zip(torch.autograd.grad(found, (input, weight)), torch.autograd.grad(expected, (input, weight))):
        torch.testing.assert_close(ours, its)


def test_facts_of_rows_are_those_of_the_logits():
    input, weight, bias, target = tensors()
    facts = row_facts(input, weight, target, linear_bias=bias, top=3)
    log_p = F.linear(input, weight, bias).log_softmax(1)
    torch.testing.assert_close(facts.log_sum_exp, F.linear(input, weight, bias).logsumexp(1).detach())
    torch.testing.assert_close(facts.entropy, -(log_p.exp() * log_p).sum(1).detach())
    torch.testing.assert_close(facts.label_log_prob, log_p[torch.arange(N), target].detach())
    best = log_p.topk(3)
    assert torch.equal(facts.top_classes, best.indices) and torch.equal(facts.predicted, best.indices[:, 0])
    torch.testing.assert_close(facts.top_log_prob, best.values.detach())
    assert row_facts(input, weight).label_rank is None


MISTAKES = {
    "no tensor": (lambda x, w, y: linear_cross_entropy([1.0], w, y), TypeError, "input: expected a tensor, found list"),
    "three axes": (lambda x, w, y: linear_cross_entropy(x[None], w, y), ValueError, "input: expected 1 or 2 axes"),
    "a weight of one axis": (lambda x, w, y: linear_cross_entropy(x, w[0], y), ValueError, "linear_weight: expected 2 axes"),
    "types that differ": (lambda x, w, y: linear_cross_entropy(x, w.float(), y), TypeError, "linear_weight: expected numbers of input's type"),
    "integers": (lambda x, w, y: linear_cross_entropy(x.int(), w, y), TypeError, "input: expected numbers"),
    "a class too many": (lambda x, w, y: linear_cross_entropy(x, w, y + C), ValueError, "target: expected classes from 0 to 10 or the ignored -100"),
    "an unknown reduction": (lambda x, w, y: linear_cross_entropy(x, w, y, reduction="max"), ValueError, "reduction: expected one of mean, sum, none"),
    "a target with an axis": (lambda x, w, y: linear_cross_entropy(x[0], w, y[:1]), ValueError, "target: expected () class"),
    "booleans": (lambda x, w, y: linear_cross_entropy(x, w, y > 3), TypeError, "target: expected float32"),
    "no target": (lambda x, w, y: linear_cross_entropy(x, w, None), TypeError, "target: expected a tensor, found NoneType"),
    "a temperature to be learned": (
        lambda x, w, y: linear_cross_entropy(x, w, y, temperature=torch.tensor(2.0, requires_grad=True)),
        ValueError,
        "temperature: expected a number, found a tensor that requires a gradient",
    ),
    "more memory than there is": (lambda x, w, y: linear_cross_entropy(x, w, y, memory=-(2**80)), ValueError, "memory: expected"),
    "another device": (lambda x, w, y: linear_cross_entropy(x.to("meta"), w, y), ValueError, "input: expected a tensor on the CPU"),
    "a target with a gradient": (
        lambda x, w, y: linear_cross_entropy(x, w, torch.zeros(N, C, dtype=x.dtype, requires_grad=True)),
        ValueError,
        "require no gradient",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_the_argument(mistake):
    input, weight, _, target = tensors()
    call, kind, message = MISTAKES[mistake]
    with pytest.raises(kind) as caught:
        call(input, weight, target)
    assert message in str(caught.value) and "\n" not in str(caught.value)
