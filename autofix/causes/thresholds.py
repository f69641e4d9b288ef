"""Every number that the ranking of causes depends on, in one place."""

import dataclasses

from autofix.evidence import CHANCE, STRONG_DRIFT

CONFIDENT = 0.7
"""Causes this likely are treated together on the first rung: more likely than not with some margin, so that of two of
them at least one holds nine times in ten."""


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """From where on a measurement speaks for a cause, and how sure that makes.

    Confidences are judgements: decisive evidence has 0.9 or more, a scale or rate far from the usual starts below
    `CONFIDENT` and gains with every power of ten. The other numbers have the reasons given here.

    Args:
        confident: From this confidence on a cause pulls its consequences below itself; see `CONFIDENT`.
        explained: The most that a consequence of a likely cause keeps: below `confident`, so that it is not treated
            along with its cause.
        decisive: A learning rate this surely too high is wrong whatever the order of the rows.
        far_scale: A feature or target this far from the unit scale that Glorot's initialisation assumes is unscaled
            (Glorot & Bengio 2010; LeCun et al. 1998, section 4.3). Flower measurements, at 6, train well.
        far_scale_confidence: Of a scale at `far_scale`; low, for raw pixels, at 15 times that, train well too.
        decade: What each further power of ten adds.
        reached_share: Predictions that spread over this share of the targets' deviation have found their scale.
        far_rate: A rate this many times the optimizer's default, or a fraction of it, is unusual: the range that
            rate sweeps start from (Bengio 2012, section 3.1).
        far_rate_confidence: Of a rate at `far_rate`; Adam at 0.01 and SGD at 0.1 are common and mostly fine.
        rate_decade: What each further power of ten adds: a thousand times the default, Adam at 1.0, is decisive.
        little_travel: A scale-free optimizer moves a weight by at most its rate a step. All steps together less than
            this is a hundredth of a weight of size 1: nothing can have been learned.
        enough_travel: All steps together more than this crosses the whole range of the initial weights.
        moved_far: Weights that moved by this many times their initial norm kept nothing of their beginning.
        loss_growth: A loss that grew by this factor is no noise.
        few_steps: Fewer optimizer steps than this in a whole training are few: at its default rate Adam has moved each
            weight by at most a tenth.
        few_steps_an_epoch: Fewer steps an epoch than this make the batches, not the epochs, the reason.
        many_steps_an_epoch: With batches of at most `tiny_batch` rows, so many noisy steps an epoch.
        tiny_batch: See `many_steps_an_epoch`.
        little_moved: Weights that moved by less than this share of their norm have hardly begun to learn.
        improving_skill: Held-out skill gained in the second half of the steps that shows a training cut off: above
            the standard error of the skill of a few hundred rows.
        falling_loss: Share of the first epoch's loss that the last epoch still gained.
        nonlinear_margin: How much more skill a non-linear reference must have before a linear network is said to
            lack capacity: above the standard error of the difference on a few hundred rows.
        bottleneck_units: A hidden layer of at most so many units passes too little on.
        order_drift: From here on the row number predicts the target: as `STRONG_DRIFT` of the evidence.
        category_gain: Share of the variance that codes explain beyond anything smooth; of 300 random rows none of 100
            had 0.05.
        minority_share: With all classes but the largest below this share, always predicting that one costs little.
        min_rows: With fewer rows no skill can be proven: two in each of five folds.
        no_skill: A reference learner whose lower bound is below has found nothing.
        chance: A permutation test above this shows no dependence.
        dead_share: Below this share of dead units the others carry the layer; in healthy ReLU networks a tenth to a
            half are dead.
        deadly_bias: Sums of standardised inputs under Glorot's weights deviate from 0 by about 1: under a bias of minus
            five deviations hardly a ReLU unit is above 0 for any row.
        saturated_share: Where this share of the values lies at the ends of a bounded activation, more gradient is lost
            than passed on. Standardised inputs and Glorot's weights saturate 2 % of tanh units.
        gradient_fall: Relative gradient of the first layer over that of the last, below which it vanishes. Three
            tanh layers have 0.1 to 1.
        deep_layers: Below so many layers a small gradient of the first one has another reason than their number.
        large_gradient: Gradient over weights from which one step of SGD at its default rate replaces the weights.
        small_kernel: Initial weights this small, relative to Glorot's, shrink the signal tenfold in each layer.
        large_kernel: Initial weights this large grow it fivefold, which saturates bounded activations.
        equal_share: From this share on equal units make a layer narrower than it looks.
        heavy_penalty: A penalty this many times the loss of the data outweighs it.
        kept_share: Dropout that keeps at most this share is heavy; half is usual (Srivastava et al. 2014).
        heavy_noise: Deviation of added noise from which it drowns standardised values.
    """

    confident: float = CONFIDENT
    explained: float = 0.6
    decisive: float = 0.9
    far_scale: float = 10.0
    far_scale_confidence: float = 0.5
    decade: float = 0.15
    reached_share: float = 0.5
    far_rate: float = 10.0
    far_rate_confidence: float = 0.55
    rate_decade: float = 0.2
    little_travel: float = 0.01
    enough_travel: float = 1.0
    moved_far: float = 10.0
    loss_growth: float = 3.0
    few_steps: float = 100.0
    few_steps_an_epoch: float = 10.0
    many_steps_an_epoch: float = 1000.0
    tiny_batch: float = 2.0
    little_moved: float = 0.1
    improving_skill: float = 0.05
    falling_loss: float = 0.01
    nonlinear_margin: float = 0.1
    bottleneck_units: float = 2.0
    order_drift: float = STRONG_DRIFT
    category_gain: float = 0.1
    minority_share: float = 0.1
    min_rows: float = 10.0
    no_skill: float = 0.02
    chance: float = CHANCE
    dead_share: float = 0.75
    deadly_bias: float = -5.0
    saturated_share: float = 0.5
    gradient_fall: float = 0.01
    deep_layers: float = 3.0
    large_gradient: float = 100.0
    small_kernel: float = 0.1
    large_kernel: float = 5.0
    equal_share: float = 0.5
    heavy_penalty: float = 1.0
    kept_share: float = 0.2
    heavy_noise: float = 5.0


DEFAULT = Thresholds()
