"""How the commands of this repository end."""

from __future__ import annotations

import pytest

from scripts import project


def test_ctrl_c_says_what_is_left_and_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    for arguments, said in (((), "Run it again"), ((lambda: "Half of it is there.",), "Half of it is there.")):
        with pytest.raises(SystemExit) as ended:
            project.run(interrupted, *arguments)
        assert ended.value.code == 130
        assert f"interrupted. {said}" in capsys.readouterr().err
