"""What the page on causes says of each, beside what the rules and strategies say themselves."""

from typing import NamedTuple

from autofix.causes import DEFAULT as T
from autofix.search.memory import TELLING_ROWS


class Text(NamedTuple):
    """What is known of a cause.

    Args:
        looks: What somebody sees who has it.
        measured: What autofix measures.
        yourself: What to do without autofix, or where autofix does nothing.
    """

    looks: str
    measured: str
    yourself: str


TEXTS = {
    "output_mismatch": Text(
        "Predictions stick to a value that the last layer cannot leave: 1.0 of a softmax over a single unit, 0 to 1 of "
        "a sigmoid where targets are prices, 0 of a ReLU where targets are negative. The loss may fall all the same.",
        "The range of the output's activation against the range of the targets; units against classes; whether the "
        "loss takes logits and gets probabilities, or the other way round.",
        'A regression ends in `Dense(1)` without an activation, two classes in `Dense(1, activation="sigmoid")` with '
        '`binary_crossentropy`, more of them in `Dense(n, activation="softmax")` with '
        "`sparse_categorical_crossentropy`.",
    ),
    "frozen_weights": Text(
        "The loss does not change from epoch to epoch, or only a little where the last layer alone is trained.",
        "Layers with weights whose `trainable` is False, and a learning rate of 0.",
        "Set `trainable = True` for the layers that are to learn, then compile again.",
    ),
    "insufficient_capacity": Text(
        "The loss falls for a while and stays high; predictions vary but have little to do with the targets.",
        "A network without a non-linear hidden layer, or one that squeezes everything through "
        f"{T.bottleneck_units:.0f} units or fewer, where a non-linear reference learner has at least "
        f"{T.nonlinear_margin:g} more held-out skill than a linear one.",
        "Add one or two `Dense` layers with ReLU before the output layer.",
    ),
    "learning_rate_too_high": Text(
        "The loss jumps, or falls once and then stands still. Afterwards the network often predicts the same for "
        "every row: one huge step has left all units behind.",
        f"The rate over the default of the optimizer, from {T.far_rate:.0f} times on; whether the loss grew, units "
        "became the same for every row, or weights moved far beyond their initial size.",
        "Go back to the optimizer's default rate, then try a tenth of it and ten times it.",
    ),
    "learning_rate_too_low": Text(
        "The loss falls evenly and by next to nothing; predictions are still those of the untrained network.",
        f"The default of the optimizer over the rate, from {T.far_rate:.0f} times on; how far all steps together can "
        "move a weight; how far the weights have moved.",
        "Go back to the optimizer's default rate.",
    ),
    "nonfinite_inputs": Text(
        "The loss is NaN from the first epoch on. Worse, a fused ReLU can swallow the NaN: then the loss looks fine "
        "while some weights are NaN and the output is constant.",
        "Values of inputs and targets that are NaN or infinite. `autofix.fit` refuses them before any training; with "
        '`on_nonfinite="drop"` it leaves such rows out.',
        "Fill the gaps or drop the rows, and find out where they come from.",
    ),
    "constant_targets": Text(
        "The loss goes to 0, and the network predicts the one value that there is.",
        "Whether all targets are equal. Then the verdict is `unlearnable`, before any training.",
        "Look at how the targets were made: a wrong column, a join without matches, a cast that cuts everything to 0.",
    ),
    "constant_features": Text(
        "The same prediction for every row, because every row is the same to the network.",
        "Columns with one value in every row.",
        "Look at how the features were made. A few such columns do no harm.",
    ),
    "too_few_rows": Text(
        "Anything: whatever is seen may be luck.",
        f"Fewer than {T.min_rows:.0f} rows: no skill can be proven, so the verdict is `unlearnable`. Fewer than "
        f"{TELLING_ROWS} training rows, in which neither a test nor any learner finds a dependence: one may be missed.",
        "Collect more rows.",
    ),
    "unshuffled_data": Text(
        "Predictions follow the rows that were seen last: all of the class, or near the value, of the end of the file.",
        "Whether `fit` shuffles, and how well the number of a row predicts its target.",
        "Leave `shuffle=True` as it is by default; a `tf.data.Dataset` needs `.shuffle(n_rows)` before `.batch()`.",
    ),
    "unscaled_inputs": Text(
        "The same value for every row, or a loss that stands still at a high value; it often depends on the seed.",
        "The typical size of each feature, and its range, against 1; values of the first layer at the ends of a "
        "bounded activation.",
        "Put a `keras.layers.Normalization` layer first and `adapt` it to the training rows.",
    ),
    "unscaled_targets": Text(
        "Predictions lie far from all targets and creep towards them, as the bias of the last layer does.",
        "Mean and deviation of the targets against 1, and whether predictions have come among the targets.",
        "Standardise the targets, and undo it with a `keras.layers.Rescaling` layer at the end.",
    ),
    "unencoded_categories": Text(
        "Predictions vary a little, with little skill, whatever the size of the network: it is asked to read numbers "
        "that are names.",
        f"Whole numbers among the features whose own mean for each code explains at least {T.category_gain:.0%} more "
        "of the targets than anything smooth in them.",
        "One-hot encode them with `keras.layers.CategoryEncoding`, or use an `Embedding`.",
    ),
    "no_signal": Text(
        "The training loss may fall, the validation loss does not: what is learned are the training rows by heart.",
        "Linear, kernel and tree learners that predict held-out rows no better than a constant, and a permutation test "
        "that finds no dependence of the targets on the features. The verdict is `unlearnable`.",
        "Other features, cleaner targets, or more rows. A larger network does not help.",
    ),
    "imbalanced_labels": Text(
        "The accuracy is high from the first epoch on, and every row is given the common class.",
        f"The share of the largest class, from {1.0 - T.minority_share:.0%} on.",
        "Train longer first: probabilities of a rare class are small and may rank rows well. Then `class_weight`.",
    ),
    "symmetric_initialization": Text(
        "A loss that stands still, or a network that behaves as if its layers had a single unit.",
        "Units that began with the same weights as another one, all of them 0 included.",
        "Leave Keras' default initialisers in place; `zeros` and `ones` are for biases.",
    ),
    "dead_units": Text(
        "The same value for every row, often exactly, and a loss that does not move any more.",
        f"ReLU units that are the same for every row, from {T.dead_share:.0%} of a layer on, and if they began so; "
        f"biases that begin below {T.deadly_bias:g}.",
        "A lower learning rate, where they died on the way; else other biases, `he_normal`, or `leaky_relu`.",
    ),
    "saturated_units": Text(
        "A loss that falls very slowly, with predictions that are nearly the same for every row.",
        f"Values of sigmoid or tanh units at the ends of their range, from {T.saturated_share:.0%} of a layer on.",
        "Scale the inputs, use Keras' default initialisers, or ReLU in place of sigmoid and tanh.",
    ),
    "vanishing_gradients": Text(
        "Predictions are the same for every row to a few digits, and yet rank the rows right.",
        "The relative gradient of the first layer over that of the last; initial weights far smaller than Glorot's.",
        "ReLU in place of sigmoids, normalisation between the layers, or fewer layers.",
    ),
    "excessive_regularization": Text(
        "The loss falls because the weights go to 0; predictions shrink towards a constant.",
        "Penalties over the loss of the data; dropout rates; the deviation of added noise.",
        "Divide penalties by 100 or drop them; dropout of 0.2 to 0.5.",
    ),
    "batch_size_too_large": Text(
        "A training that is over before it has begun: the loss still falls when the epochs are up.",
        f"Optimizer steps in the whole training, fewer than {T.few_steps:.0f}, because each takes so many rows.",
        "Batches of 32, Keras' default.",
    ),
    "batch_size_too_small": Text(
        "A loss that jumps about and does not settle.",
        f"Batches of at most {T.tiny_batch:.0f} rows in a long epoch, and the learning rate beside them.",
        "Batches of 32, Keras' default.",
    ),
    "exploding_gradients": Text(
        "The loss grows by powers of ten, or is NaN after some steps.",
        "The gradient of a layer over its weights; initial weights far larger than Glorot's; the growth of the loss.",
        "Keras' default initialisers, a lower rate, or `global_clipnorm=1.0` in the optimizer.",
    ),
    "nonfinite_training": Text(
        "The loss is NaN from some epoch on, and so is every prediction.",
        "The first epoch whose loss is not finite, and weights that are NaN.",
        "Look for what comes before it: the learning rate, the scales, the data. Then `global_clipnorm`.",
    ),
    "insufficient_training": Text(
        "Everything goes right, and stops too early.",
        f"Held-out skill that still grew by {T.improving_skill:g} in the second half of the steps, or a short training "
        "whose loss still fell in its last epoch.",
        "More epochs.",
    ),
    "leaky_split": Text(
        "Great results in validation, and none in use.",
        "A repaired network is trained once more, on targets that were dealt out anew: where it has skill there too, "
        "held-out rows are among the training rows. Then nothing is called a repair.",
        "Keep copies of a row, and rows of the same person or day, on one side of the split.",
    ),
}
"""By cause, in the order in which equally likely ones are ranked; `leaky_split` is found by the proof alone."""
