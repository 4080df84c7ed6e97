"""Scripts are read as a shell, PowerShell or Windows would read them."""

import contextlib
import re

import pytest

from lorasmith.errors import SettingsError
from lorasmith.training.importers.batch import read_batch
from lorasmith.training.importers.import_settings import import_settings
from lorasmith.training.importers.powershell import read_powershell
from lorasmith.training.importers.shell import read_shell

TRAIN = "accelerate launch train_network.py --pretrained_model_name_or_path b --train_data_dir pics --resolution 512 --learning_rate 1e-4 "


def imported(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return import_settings(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x=8 # a comment | 注\nrun --dim=$x", ["run", "--dim=8"]),
        ("run a#b '#c' # d", ["run", "a#b", "#c"]),
        ('x="two words"\nrun $x "$x" \'$x\'', ["run", "two", "words", "two words", "$x"]),
        ("run ${x:-8} ${y-9} ${z:+no}", ["run", "8", "9"]),
        ("x=3\nrun ${x:-8} ${x:+yes}", ["run", "3", "yes"]),
        ('a=("--x 1" --y)\na+=(--z)\nrun "${a[@]}"', ["run", "--x 1", "--y", "--z"]),
        ('a=("--x 1")\nrun ${a[@]}', ["run", "--x", "1"]),
        ('a=()\nrun --x 1 "${a[@]}" "" ${a[@]} y', ["run", "--x", "1", "", "y"]),
        ("a=(\n  --x   # first\n  --y\n)\nrun ${a[*]}", ["run", "--x", "--y"]),
        ('run "a \\"b\\" \\$c" d\\ e', ["run", 'a "b" $c', "d e"]),
        ("run --a \\\n  --b=1 \\\n  --c > log.txt 2>&1 && echo done", ["run", "--a", "--b=1", "--c"]),
        ("run $unset ${unset}", ["run", "$unset", "${unset}"]),
        ("export A=1 B=2; run $A$B", ["run", "12"]),
        ("cat <<EOF > x.toml\nrun --wrong\nEOF\nrun --right", ["run", "--right"]),
        ('t=a.py\nif [ "sdxl" == "sdxl" ]; then t=b.py; elif [ 1 = 1 ]; then t=c.py; else t=d.py; fi\nrun $t', ["run", "b.py"]),
        ("x=0\nif [[ $x -ne 0 ]]; then run --on\nelse run --off\nfi", ["run", "--off"]),
        ("if [ ! -z '' ]; then run a; fi\nif [ -n x ]; then run b; fi", ["run", "b"]),
        ("m=xl\ncase $m in\n  sd1|sd2) run a;;\n  x*) run b ;;\n  *) run c;;\nesac", ["run", "b"]),
        ('case "$1" in a) x=1;; esac\ncase one in (one) run b;; esac', ["run", "b"]),
        ("x=16\nrun $((x / 2)) $(( $x*2+1 )) $((2 ** 3))", ["run", "8", "33", "$((2 ** 3))"]),
        ("f=/a/b.tar.gz\nrun ${f##*/} ${f#*/} ${f%.*} ${f%%.*}", ["run", "b.tar.gz", "a/b.tar.gz", "/a/b.tar", "/a/b"]),
        ('go() {\n  local dim=$1\n  run --dim=$dim "$2" "$@"\n}\ngo 8 "a b"', ["run", "--dim=8", "a b", "8", "a b"]),
        ("function go { run $1; }\ngo x", ["run", "x"]),
        ("set -euo pipefail\nCUDA_VISIBLE_DEVICES=0 run a &", ["run", "a"]),
        ("(cd x && run a)", ["run", "a"]),
    ],
)
def test_a_shell_script_is_read_as_a_shell_would(text, words):
    assert next(command for command in read_shell(text).commands if command[0] == "run") == words


def test_a_condition_that_only_a_shell_can_decide_is_listed():
    script = read_shell("if [ -f x.toml ]; then run --with; fi\nrun --plain")
    assert (script.commands, script.unread) == ([["run", "--plain"]], ["[ -f x.toml ]"])


def test_a_function_that_calls_itself_ends():
    assert len(read_shell("f() { run a; f; }\nf").commands) < 20


def test_of_a_loop_the_first_turn_is_followed_and_said():
    script = read_shell("for lr in 1e-4 2e-4; do run $lr; done\nfor x in 1; do run $x; done")
    assert (script.commands, script.loops) == ([["run", "1e-4"], ["run", "1"]], ["lr"])


@pytest.mark.parametrize(
    ("text", "name", "body"),
    [
        ("x=5\ncat > c.toml <<EOF\na = \"$x\"\nEOF\nrun", "c.toml", 'a = "5"\n'), ("x=5\ncat <<'EOF' > c.toml\na = $x\nEOF\nrun", "c.toml", "a = $x\n"),
        ("d=out\ntee \"$d/c.toml\" <<-END\na = 1\n\tEND\nrun", "out/c.toml", "a = 1\n"), ("cat > e.toml <<EOF\nEOF\nrun", "e.toml", ""),
    ],
)  # fmt: skip
def test_a_file_that_a_script_writes_is_known(text, name, body):
    script = read_shell(text)
    assert script.files == {name: body}
    assert ["run"] in script.commands


def test_a_dataset_of_the_command_counts_before_that_of_its_configuration(tmp_path):
    (tmp_path / "there").mkdir()
    config = 'pretrained_model_name_or_path = "b"\nmax_train_epochs = 3\nlearning_rate = 1e-4\ndataset_config = "gone.toml"\n'
    (tmp_path / "there" / "config.toml").write_text(config, encoding="utf-8")
    (tmp_path / "ds.toml").write_text("[[datasets]]\nresolution = 640\n[[datasets.subsets]]\nimage_dir = 'pics'\n", encoding="utf-8")
    config_file = (tmp_path / "there" / "config.toml").as_posix()
    found = imported(tmp_path, "train.sh", f"accelerate launch train_network.py --config_file {config_file} --dataset_config ds.toml\n")
    assert (found.fault, found.settings.buckets.resolution, str(found.settings.datasets[0].path)) == ("", 640, "pics")


def test_a_configuration_that_the_script_writes_itself_is_read(tmp_path):
    config = (
        'pretrained_model_name_or_path = "b"\nnetwork_dim = $DIM\nmax_train_epochs = 3\nlearning_rate = 1e-4\ndataset_config = "ds.toml"\n'
    )
    dataset = "[[datasets]]\nresolution = 640\n[[datasets.subsets]]\nimage_dir = 'pics'\nflip_aug = true\n"
    text = f"DIM=12\ncat > /tmp/run/config.toml <<EOF\n{config}EOF\ncat > ds.toml <<'EOF'\n{dataset}EOF\naccelerate launch train_network.py --config_file /tmp/run/config.toml\n"
    found = imported(tmp_path, "train.sh", text)
    s = found.settings
    assert (found.fault, s.network.rank, s.buckets.resolution, s.datasets[0].flip_aug) == ("", 12, 640, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('$x = "a b" # note\nrun --x="$x" `\n  --y=$x', ["run", "--x=a b", "--y=a b"]),
        ("$x = 'it''s'\nrun \"say \"\"$x\"\"\"", ["run", 'say "it\'s"']),
        ('$d = "d:\\lora"\n$w = Join-Path -Path $d -ChildPath "a.safetensors"\nrun $w', ["run", "d:\\lora\\a.safetensors"]),
        ('$a = "x" + "y"\nrun $a', ["run", "xy"]),
        ('$e = [System.Collections.ArrayList]::new()\n$on = 1\nif ($on -eq 1) {\n  [void]$e.Add("--x=$on")\n} else { [void]$e.Add("--no") }\nrun $e', ["run", "--x=1"]),
        ('$e = @("--a", "--b=2")\n$e += "--c"\nrun @e', ["run", "--a", "--b=2", "--c"]),
        ("<# run no #>\n$on = $false\nif ($on) { run a }\nelseif (-not $on) { run b }", ["run", "b"]),
        ('$t = "Prodigy"\nif ($multi_gpu) { run a }\nif ($t -ieq "prodigy") { run b }', ["run", "b"]),
        ("[int]$dim = 8\n[string] $n = 'x'\nrun $dim $n", ["run", "8", "x"]),
        ('param(\n  [Parameter(Mandatory)] [string]$gone,\n  [int]$dim = 8,\n  $n = "x"\n)\nrun $dim $n $gone', ["run", "8", "x", "$gone"]),
        ("$o = @{ rank = 8; 'the-name' = \"x\" }\nrun $($o.rank) $o.rank $o['the-name']", ["run", "8", "8", "x"]),
        ('$t = @"\nsay "a"\n"@\nrun "$t"', ["run", 'say "a"']),
        ("foreach ($lr in @('1e-4', '2e-4')) {\n  run $lr\n}", ["run", "1e-4"]),
        ("switch ($m) { 'a' { run a } default { run b } }\nrun c", ["run", "c"]),
        ("function Go($n) { run $n }\nrun c", ["run", "c"]),
        ('$Env:HF_HOME = "hf"\n& run ${HF_HOME} $unset', ["&", "run", "hf", "$unset"]),
    ],
)  # fmt: skip
def test_a_powershell_script_is_read_as_powershell_would(text, words):
    assert next(command for command in read_powershell(text).commands if "run" in command) == words


def test_a_batch_file_keeps_its_backslashes_and_variables():
    script = read_batch('@echo off\nrem it\'s old\nset MODEL=D:\\a b\nset "N=2"\nrun --m "%MODEL%" ^\n --n=%N% && pause\n')
    assert script.commands[0] == ["run", "--m", "D:\\a b", "--n=2"]


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        ("set U=1\nif %U%==1 set E=--on\nrun %E%", [["run", "--on"]]), ('set U=0\nif "%U%"=="1" (\n set E=--on\n) else (\n set E=--off\n)\nrun %E%', [["run", "--off"]]),
        ('set M=xl\nif /i "%M%"=="XL" (\n run a\n) else (\n run b\n)', [["run", "a"]]), ("if not defined X (\n run a\n)\nrun b", [["run", "a"], ["run", "b"]]),
        ("if defined X (run a) else (run b)", [["run", "b"]]), ('if "%X%"=="" run a', [["run", "a"]]),
        ("set A=1\nif %A%==1 (\n if %A%==2 (\n  run a\n ) else (\n  run b\n )\n run c\n)\nrun d", [["run", "b"], ["run", "c"], ["run", "d"]]),
    ],
)  # fmt: skip
def test_conditions_of_a_batch_file_are_followed(text, commands):
    script = read_batch(text)
    assert (script.commands, script.unread) == (commands, [])


def test_what_windows_alone_can_decide_is_listed_and_left_out():
    script = read_batch("if exist x.toml (\n run a\n) else (\n run b\n)\nif errorlevel 1 goto end\n:end\nrun c")
    assert (script.commands, script.unread) == ([["run", "c"]], ["if exist x.toml", "if errorlevel 1 goto end"])


def test_the_scripts_name_may_be_a_variable(tmp_path):
    text = (
        'trainer_file="./scripts/train_network.py"\n'
        + TRAIN.replace("train_network.py", "$trainer_file")
        + "--network_dim 8 --max_train_epochs 3"
    )
    found = imported(tmp_path, "train.sh", text)
    assert (found.settings.network.rank, found.settings.training.epochs) == (8, 3)


@pytest.mark.parametrize(
    ("short", "section", "name", "value"),
    [("--max_train_epoch 5", "training", "epochs", 5), ("--network_di 9", "network", "rank", 9), ("--lr_warmup 10", "schedule", "lr_warmup_steps", 10)],
)  # fmt: skip
def test_the_beginning_of_an_option_is_the_option(tmp_path, short, section, name, value):
    found = imported(tmp_path, "train.sh", f"{TRAIN} --max_train_steps 400 --lr_scheduler cosine {short}")
    assert getattr(getattr(found.settings, section), name) == value
    assert not found.of("import.unknown")


def test_a_beginning_of_several_options_is_unknown(tmp_path):
    found = imported(tmp_path, "train.sh", f"{TRAIN} --max_train_steps 400 --save_every 5")
    assert [each.subjects for each in found.of("import.unknown")] == [("save_every",)]


@pytest.mark.parametrize("text", ["accelerate launch train_network.py", "trainer_file=train_network.py", "x = 5", "", "\x00\x01"])
def test_a_file_that_yields_no_option_is_refused(tmp_path, text):
    with pytest.raises(SettingsError, match="no training of a LoRA|without an option"):
        imported(tmp_path, "a.sh", text)


def test_a_case_decides_which_family_is_trained(tmp_path):
    start = "M=sdxl\ncase $M in\n  sdxl) S=sdxl_train_network.py;;\n  *) S=train_network.py;;\nesac\n"
    found = imported(tmp_path, "train.sh", start + TRAIN.replace("train_network.py", "$S") + "--max_train_epochs 3")
    assert found.form == "a command for sdxl_train_network.py"


def test_a_training_in_what_could_not_be_decided_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"apart from what could not be decided \(\[ -f x \]\)"):
        imported(tmp_path, "a.sh", f"if [ -f x ]; then {TRAIN}; fi")


@pytest.mark.parametrize(("name", "text"), [("a.sh", "case x in (a) run;; esac; f() { g() { run $1; }; g; }\nf <<E > y\nE\n"), ("a.bat", 'if "a"=="b" (\n run "c" ^\n) else (\n'),
                                            ("a.ps1", "param([int]$a = 8)\n$o = @{ a = 1 }\nforeach ($x in @(1,2)) { run $o.a }")])  # fmt: skip
def test_no_beginning_of_a_script_is_a_traceback(tmp_path, name, text):
    for length in range(len(text)):
        with contextlib.suppress(SettingsError):
            imported(tmp_path, name, text[:length])


def test_a_script_in_utf_16_is_read(tmp_path):
    (tmp_path / "train.ps1").write_bytes(f"{TRAIN} --max_train_epochs 3".encode("utf-16"))
    assert import_settings(tmp_path / "train.ps1").settings.training.epochs == 3


DEEP = "[" * 100_000
MALFORMED = [
    ("a.json", ""), ("a.json", "null"), ("a.json", DEEP), ("a.json", '{"datasets": 5}'), ("a.json", '{"datasets": [{"subsets": 5}]}'),
    ("a.json", '{"datasets": [{"subsets": [1]}], "general": 3}'), ("a.json", '{"datasets": [null]}'), ("a.toml", "datasets = 1"),
    ("a.toml", "[[datasets]]\nsubsets = 7"), ("a.toml", "general = 4\n[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'a'"), ("a.toml", f"a = {DEEP}"),
    ("a.toml", "a = 1\na = 2"), ("a.toml", ""), ("a.toml", "title = 'notes'"), ("a.yaml", "a: ["), ("a.yaml", "a: &x [1]\nb: *x"), ("a.yaml", "a: 2024-99-99"), ("a.yaml", f"a: {DEEP}"),
    ("a.yaml", "- 1"), ("a.sh", "train_network.py --x ${y"), ("a.ps1", 'train_network.py --x "y'), ("a.bat", 'train_network.py --x "y'),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), MALFORMED)
def test_a_malformed_file_is_one_sentence(tmp_path, name, text):
    with pytest.raises(SettingsError) as raised:
        imported(tmp_path, name, text)
    assert re.fullmatch(r"[^\n]+\.", str(raised.value))
    assert name in str(raised.value)


@pytest.mark.parametrize("value", ["5", "null", "true", "[]", "{}", '"x"', "[[1]]", '{"a": {"b": 1}}', "-1", '""'])
def test_no_value_of_an_option_is_a_traceback(tmp_path, value):
    names = ("LoRA_type", "network_dim", "network_args", "optimizer", "optimizer_args", "lr_scheduler", "lr_warmup", "max_resolution", "unet_lr",
             "text_encoder_lr", "sample_prompts", "additional_parameters", "dataset_config", "train_data_dir", "epoch", "noise_offset_type", "conv_dim")  # fmt: skip
    for name in names:
        (tmp_path / "a.json").write_text(f'{{"network_alpha": 1, "max_resolution": "512", "{name}": {value}}}', encoding="utf-8")
        with contextlib.suppress(SettingsError):
            import_settings(tmp_path / "a.json", base="b", datasets=["pics"])
