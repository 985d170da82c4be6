"""Calls functions of a script: a JSON document per line in, `{"function": …, "arguments": {…}}`, and one out, in order."""

import json
import runpy
import sys
import traceback

answers = sys.stdout
# What a client prints must not get between the answers.
sys.stdout = sys.stderr
functions = runpy.run_path(sys.argv[1])

for line in sys.stdin:
    call = json.loads(line)
    try:
        answer = {"result": functions[call["function"]](**call["arguments"])}
    except BaseException:
        answer = {"error": traceback.format_exc()}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
