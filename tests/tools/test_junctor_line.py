#!/usr/bin/env python3
"""The command line of junctor: help, options, the manual page, completion. Prints TAP."""
import os
import pty
import re
import select
import shutil
import subprocess
import sys

from harness import BUILD, CORE, LIMIT_S, REFUSED, TOOL, USAGE, Skip, main

SOURCE = os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "../.."))
NOWHERE = {"JUNCTOR_SOCKET": "/nonexistent"}


def help_text(daemon, *words):
    return daemon.run(*words, "--help", environment=NOWHERE)[0]


def commands_of(daemon):
    """Each command's line in the help, unwrapped."""
    lines = help_text(daemon).split("\n\n")[1].splitlines()
    commands = []
    for line in lines:
        if re.match(r"  \S", line):
            commands.append(line.strip())
        elif re.match(r"        \S", line):
            commands[-1] += " " + line.strip()
    return commands


def options_of(text):
    return re.findall(r"^  (?:-h, )?(--.*)$", text, re.MULTILINE)


def help_and_version_need_no_daemon(daemon):
    for words in (["help"], ["--help"]):
        out, _ = daemon.run(*words, environment=NOWHERE)
        for command in ("domain add DOMAIN --core URI", "address auth-code ADDRESS", "token add",
                        "import FILE", "route ADDRESS|NUMBER", "status", "--server URL"):
            assert command in out, command
    out, _ = daemon.run("--version", environment=NOWHERE)
    assert out.startswith("junctor ") and out.count("\n") == 1, out


def help_fits_a_terminal(daemon):
    for words in ([], ["import"], ["address", "set"], ["token", "add"]):
        for line in help_text(daemon, *words).splitlines():
            assert len(line) < 80 or "--server" in line, line


def help_for_one_command_shows_that_command(daemon):
    for words in (["-h"], ["--help"]):
        assert daemon.run(*words, environment=NOWHERE) == daemon.run("help", environment=NOWHERE)
    for words in (["route", "--help"], ["route", "-h"], ["--help", "route"], ["help", "route"],
                  ["route", "bob@opb.example", "--help"]):
        out, _ = daemon.run(*words, environment=NOWHERE)
        assert out.startswith("usage: junctor route ADDRESS|NUMBER\n") and out.count("\n") == 2, out
    out, _ = daemon.run("domain", "add", "--help", environment=NOWHERE)
    assert out.startswith("usage: junctor domain add DOMAIN --core URI ... ["), out
    assert options_of(out) == ["--core URI", "--unknown reject|core", "--claims N",
                               "--quarantine DAYS", "--address-records yes|no",
                               "--port-redirects yes|no",
                               "--dry-run"], out
    out, _ = daemon.run("address", "--help", environment=NOWHERE)
    assert out.count("  address ") == 12 and "domain list" not in out, out
    for words in (["frobnicate", "--help"], ["help", "frobnicate"], ["domain", "x", "-h"]):
        _, err = daemon.run(*words, code=USAGE, environment=NOWHERE)
        assert "there is no command \"" in err, err


def each_command_is_checked_against_the_tables(daemon):
    for words, reason in (
            (["status", "--core", CORE], "status: does not take --core"),
            (["domain", "add", "a.example"], "domain add: --core URI is missing"),
            (["domain", "set", "a.example"], "nothing to change is named"),
            (["domain", "add", "a.example", "--core", CORE, "--claims", "-1"],
             '--claims: expected a number of at most 9999999999999, not "-1"'),
            (["domain", "add", "a.example", "--core", CORE, "--claims", "99999999999999999999"],
             "--claims: expected a number of at most 9999999999999"),
            (["address"], "address: what follows is missing: add, list, show, set, del, purge"),
            (["address", "x"], 'there is no command "address x"; address is followed by add, list'),
            (["status", "now"], 'status: "now" is too much'),
            (["number", "add", "+49301234567"], "number add: ADDRESS is missing: an address such"),
            (["domain", "add", "a.example", "--core", CORE, "--unknown", "maybe"],
             '--unknown: expected reject or core, not "maybe"'),
            (["token", "add", "--scope", "root"],
             '--scope: expected admin, operator or user, not "root"'),
            (["address", "set", "a@b.example", "--locked", "y"], "--locked: expected yes or no"),
            (["address", "list", "--owner", "a", "--owner", "b"], "--owner is given twice"),
            (["import", "x", "--format", "xml"], "--format: expected jsonl or csv"),
            (["completion", "fish"], 'completion: expected bash or zsh, not "fish"'),
            (["restore", "x"], "restore: --store DIR is missing"),
            (["restore", "x", "--store", ""], "--store: expected the name of a file"),
            (["restore", "x", "--store", "d", "--map-size", "4X"], "--map-size: expected a size"),
            (["import", "x", "--domain", "a", "--domain", "b"], "x: No such file"),
            (["address", "auth-code", "a@b.example", "--withdraw", "--days", "3"], "--days goes"),
            (["status", "--socket", "s", "--server", "https://h"], "name two daemons"),
            (["status", "--token-file", "f"], "--token-file goes with --server URL"),
            (["status", "--ca", "f"], "--ca goes with --server URL")):
        code = REFUSED if "No such file" in reason else USAGE
        _, err = daemon.run(*words, code=code, environment=NOWHERE)
        assert reason in err, (words, err)


# ---- the manual page ----


def unroff(line):
    line = re.sub(r"\\f[BIR]", "", line)
    return line.replace("\\-", "-").replace("\\&", "").strip()


def manual_sections():
    """The headings under .TP of each section."""
    with open(os.path.join(SOURCE, "packaging/junctor.1.in"), encoding="utf-8") as file:
        lines = file.read().replace("\\\n", "").splitlines()
    sections, section = {}, None
    for before, line in zip([""] + lines, lines):
        if line.startswith(".SH "):
            section = sections.setdefault(line[4:], [])
        elif before == ".TP":
            section.append(unroff(line))
    return sections


def the_manual_lists_each_command_as_help_does(daemon):
    manual = manual_sections()["COMMANDS"]
    commands = commands_of(daemon)
    assert len(commands) > 30, commands
    assert manual == commands, set(manual) ^ set(commands)


def the_manual_lists_each_option_as_help_does(daemon):
    manual = [re.sub("^-h, ", "", option) for option in manual_sections()["OPTIONS"]]
    options = set(options_of(help_text(daemon)))
    for command in commands_of(daemon):
        words = command.split(" ")
        count = 2 if len(words) > 1 and re.match("[a-z]", words[1]) and words[0] != "help" else 1
        if words[0] not in ("help", "completion"):
            options |= set(options_of(help_text(daemon, *words[:count])))
    assert len(manual) == len(set(manual)), manual
    assert set(manual) == options, set(manual) ^ options


# ---- completion ----


def bash_complete(daemon, line, folder="/"):
    """What bash offers for the last word of the line."""
    script = daemon.write("completion.bash", daemon.run("completion", "bash")[0])
    words = line.split(" ")
    quoted = " ".join("'%s'" % word for word in ["junctor"] + words)
    program = ("source '%s'; COMP_WORDS=(%s); COMP_CWORD=%d; _junctor; "
               "printf '%%s\\n' \"${COMPREPLY[@]}\"" % (script, quoted, len(words)))
    done = subprocess.run(["bash", "--norc", "-c", program], capture_output=True, text=True,
                          timeout=LIMIT_S, check=True, cwd=folder)
    assert done.stderr == "", done.stderr
    return [word for word in done.stdout.split("\n") if word]


def bash_completes_commands(daemon):
    first = bash_complete(daemon, "")
    assert {"domain", "address", "token", "journal", "import", "help"} <= set(first), first
    assert bash_complete(daemon, "add") == ["address"]
    assert bash_complete(daemon, "address ") == ["add", "list", "show", "set", "del", "purge",
                                                 "auth-code", "auth-codes",
                                                 "recovery-key", "protection", "freeze",
                                                 "unfreeze"]
    assert bash_complete(daemon, "--json --socket x address au") == ["auth-code", "auth-codes"]
    assert bash_complete(daemon, "completion ") == ["bash", "zsh"]
    assert "peer" in bash_complete(daemon, "help ")
    assert bash_complete(daemon, "domain list x") == []
    assert "auth-code" in bash_complete(daemon, "help address ")


def bash_completes_options_of_the_command(daemon):
    assert bash_complete(daemon, "domain add x --un") == ["--unknown"]
    assert bash_complete(daemon, "domain list --un") == []
    assert bash_complete(daemon, "journal --f") == ["--from", "--follow"]
    assert bash_complete(daemon, "import f.csv --keep") == ["--keep-going"]
    assert "--server" in bash_complete(daemon, "--")


def bash_completes_values(daemon):
    assert bash_complete(daemon, "domain add x --unknown ") == ["reject", "core"]
    assert bash_complete(daemon, "token add --scope o") == ["operator"]
    assert bash_complete(daemon, "address set a --locked ") == ["yes", "no"]
    assert bash_complete(daemon, "address add a --owner ") == []
    # readline makes three words of --state=x
    assert "ported-in" in bash_complete(daemon, "address list --state =")
    assert bash_complete(daemon, "address list --state = po") == ["ported-in", "ported-out"]
    assert bash_complete(daemon, "address list --owner = x --sta") == ["--state"]


def bash_completes_files(daemon):
    os.mkdir(daemon.path("a folder"))
    daemon.write("a file", "")
    for line in ("import a", "backup a", "export --output a", "--ca a"):
        assert sorted(bash_complete(daemon, line, daemon.folder)) == ["a file", "a folder"] or \
            sorted(bash_complete(daemon, line, daemon.folder)) == ["a file", "a folder", "api.sock"]
    assert bash_complete(daemon, "import x --store a", daemon.folder) == ["a folder"]


def bash_knows_the_completion(daemon):
    script = daemon.write("completion.bash", daemon.run("completion", "bash")[0])
    subprocess.run(["bash", "-n", script], check=True, timeout=LIMIT_S)
    done = subprocess.run(["bash", "--norc", "-c", "source '%s'; complete -p junctor" % script],
                          capture_output=True, text=True, check=True, timeout=LIMIT_S)
    assert done.stdout == "complete -F _junctor junctor\n", done.stdout


def zsh_offers(daemon, load, *lines):
    """What a zsh on a terminal shows when Tab is typed behind each line, after `load`."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb", "PS1": "ready> ", "ZDOTDIR": daemon.folder,
                   "PATH": os.path.dirname(TOOL) + ":" + os.environ["PATH"]}
    shell = subprocess.Popen(["zsh", "-f", "-i"], stdin=theirs, stdout=theirs, stderr=theirs,
                             env=environment, cwd=daemon.folder, start_new_session=True)
    os.close(theirs)

    def run(text, end):
        """Types it at the prompt; returns what comes up to `end` and the prompt after it."""
        os.write(ours, text.encode())
        got = ""
        while "ready> " not in got[got.find(end):] or end not in got:
            assert select.select([ours], [], [], LIMIT_S)[0], got
            got += os.read(ours, 65536).decode()
        return got
    done = "print -r end$((1))\n"
    try:
        run("", "")
        run(load + "; " + done, "end1")
        # Tab, the list (^D), and the line is taken away (^U)
        return [run("junctor " + line + "\t\x04\x15" + done, "end1") for line in lines]
    finally:
        shell.kill()
        shell.wait(LIMIT_S)
        os.close(ours)


ZSH_LINES = (("", "address"), ("address ", "auth-code"), ("completion ", "zsh"),
             ("domain add x --", "--unknown"), ("journal --", "--follow"),
             ("domain add x --unknown ", "reject"), ("import ", "a-file"),
             ("--json --socket x address ", "purge"), ("import x --store ", "a-folder"),
             ("address add --state ", "ported-in"), ("help address ", "auth-code"))


def zsh_completes_as_bash_does(daemon):
    """Loaded by eval behind compinit, and as a file of fpath."""
    if not shutil.which("zsh"):
        raise Skip("zsh is not installed")
    script = daemon.write("_junctor", daemon.run("completion", "zsh")[0])
    subprocess.run(["zsh", "-n", script], check=True, timeout=LIMIT_S)
    daemon.write("a-file", "")
    os.mkdir(daemon.path("a-folder"))
    for load in ("autoload -U compinit; compinit -u -D; eval \"$(junctor completion zsh)\"",
                 "fpath=('%s' $fpath); autoload -U compinit; compinit -u -D" % daemon.folder):
        shown = zsh_offers(daemon, load, *(line for line, _ in ZSH_LINES))
        for (line, expected), got in zip(ZSH_LINES, shown):
            assert expected in got and "a-file" not in got.replace(expected, ""), (load, line, got)


def the_build_makes_both_completions(daemon):
    for shell, name in (("bash", "junctor"), ("zsh", "_junctor")):
        with open(os.path.join(BUILD, "packaging/completions", name), encoding="utf-8") as file:
            assert file.read() == daemon.run("completion", shell)[0], name


def too_many_options_are_refused(daemon):
    done = subprocess.run([TOOL, "domain", "add", "x.example", *["--core=" + CORE] * 129],
                          capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == USAGE and "more than 128 options" in done.stderr, done


TESTS = [
    help_and_version_need_no_daemon,
    help_fits_a_terminal,
    help_for_one_command_shows_that_command,
    each_command_is_checked_against_the_tables,
    the_manual_lists_each_command_as_help_does,
    the_manual_lists_each_option_as_help_does,
    bash_completes_commands,
    bash_completes_options_of_the_command,
    bash_completes_values,
    bash_completes_files,
    bash_knows_the_completion,
    zsh_completes_as_bash_does,
    the_build_makes_both_completions,
    too_many_options_are_refused,
]

if __name__ == "__main__":
    sys.exit(main(TESTS))
