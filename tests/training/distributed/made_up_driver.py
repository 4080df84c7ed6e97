"""A driver for tests, which belongs to no cluster: it sends what is requested of it back, and ends as it is asked to."""

import os
import time

from lorasmith.errors import TensorFileError
from lorasmith.training.distributed.driver import hand_over
from lorasmith.training.events import Resumed, StateSaved, Warned


def main() -> None:
    order, program = hand_over()
    print("what a library prints")
    program.send(Resumed(order["step"]), StateSaved(order["step"] + 1))
    if order["ends"] == "without a word":
        raise SystemExit("There is no more memory.")
    while not program.commands.take("save") and not program.has_ended.is_set():
        time.sleep(0.01)
    program.send(Warned("It was saved."))
    if order["ends"] == "with an error":
        program.end(TensorFileError(order["file"], "is damaged"))
        return
    program.has_ended.wait()
    order["file"].write_text(str(os.getpid()))


if __name__ == "__main__":
    main()
