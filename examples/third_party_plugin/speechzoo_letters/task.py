"""A task in a page: which of two words was just mentioned?"""

from collections.abc import Iterator

from speechzoo import Answer, Condition, Failure, Grade, Item, Metric, ScoreAnswer, ScoreAsk, Setup, raw

PAIRS = [("apple", "onion"), ("river", "mountain"), ("silver", "copper"), ("window", "garden")]


class Echoes:
    version = "1"
    conditions = (Condition.T2T,)
    metrics = (Metric("accuracy", chance=0.5),)

    def __init__(self, setup: Setup) -> None:
        pass

    def items(self) -> Iterator[Item]:
        for pair in PAIRS:
            for right, wrong in (pair, pair[::-1]):
                yield Item(
                    id=f"{right}-{wrong}", data={"right": right, "wrong": wrong}, cluster="-".join(pair)
                )

    def ask(self, item: Item, condition: Condition) -> ScoreAsk:
        right, wrong = item.data["right"], item.data["wrong"]
        return ScoreAsk(
            raw(f"She wrote the word {right} and then once more the word"), (f" {right}", f" {wrong}")
        )

    def grade(self, item: Item, condition: Condition, answer: Answer) -> Grade | Failure:
        if not isinstance(answer, ScoreAnswer):
            return Failure("wrong_answer_shape")
        right, wrong = (score.mean_nll for score in answer.scores)
        return Grade({"accuracy": float(right < wrong)}, tie=right == wrong)
