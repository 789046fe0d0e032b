"""Compile a policy for the functions: what ``sam build`` runs for the policy layer."""

import sys
from pathlib import Path

from ecr_warden.adapters.compiled_policy import encode_policy
from ecr_warden_cli.policy.check import check_policy


def compile_policy(policy: Path, out: Path) -> int:
    """Check a policy file and write it compiled, or say what is wrong with it.

    Parameters
    ----------
    policy
        The policy file, in YAML.
    out
        The file to write; it is left alone if the policy has an error.

    Returns
    -------
    int
        The exit status: 1 if the policy has an error.
    """
    try:
        text = policy.read_text(encoding="utf-8")
    except OSError as error:
        sys.stderr.write(f"{policy}: error: {error.strerror}\n")
        return 1
    except UnicodeDecodeError as error:
        sys.stderr.write(f"{policy}: error: not UTF-8 text: {error}\n")
        return 1
    checked = check_policy(text, str(policy))
    sys.stderr.writelines(f"{problem}\n" for problem in checked.problems)
    if checked.policy is None:
        return 1
    out.write_bytes(encode_policy(checked.policy))
    return 0


if __name__ == "__main__":
    sys.exit(compile_policy(Path(sys.argv[1]), Path(sys.argv[2])))
