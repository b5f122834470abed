"""Everything that is asked of a model, in the order in which its faults are best mended."""

from speechzoo.testing.answer_checks import (
    a_bad_ask_fails_alone,
    a_batch_equals_its_singles,
    close_frees_memory,
    declared_capabilities_are_true,
    no_state_between_calls,
    order_is_kept,
    same_seed_same_answers,
    the_history_counts,
)
from speechzoo.testing.score_checks import (
    a_context_counts_from_its_beginning,
    a_plain_loop_agrees,
    every_token_is_scored_once,
    log_likelihoods_are_sums,
    logits_are_not_shifted,
    probabilities_sum_to_at_most_one,
)
from speechzoo.testing.speech_checks import (
    audio_is_heard,
    clips_are_heard_to_their_end,
    short_and_broken_clips_are_refused,
    spoken_continuations_are_told_apart,
    spoken_replies_are_sound,
    streamed_chunks_make_the_whole,
    the_encoding_of_a_clip_does_not_matter,
)

MODEL_CHECKS = (
    declared_capabilities_are_true,
    same_seed_same_answers,
    no_state_between_calls,
    order_is_kept,
    a_batch_equals_its_singles,
    a_bad_ask_fails_alone,
    log_likelihoods_are_sums,
    every_token_is_scored_once,
    probabilities_sum_to_at_most_one,
    logits_are_not_shifted,
    a_context_counts_from_its_beginning,
    a_plain_loop_agrees,
    the_history_counts,
    audio_is_heard,
    clips_are_heard_to_their_end,
    the_encoding_of_a_clip_does_not_matter,
    short_and_broken_clips_are_refused,
    spoken_continuations_are_told_apart,
    spoken_replies_are_sound,
    streamed_chunks_make_the_whole,
    close_frees_memory,
)
