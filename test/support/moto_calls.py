"""Creates what a template says in moto: reads a list of calls from stdin and writes what moto describes afterwards to stdout.

boto3 holds each call against AWS's own description of the service before moto sees it; properties of CloudFormation have the names of the
API's parameters. The method `enum` gives what that description allows.
"""

import json
import sys

import boto3
from moto import mock_aws

REGION = "eu-west-1"


def main():
    calls = json.load(sys.stdin)
    answers = []
    with mock_aws():
        clients = {}
        for call in calls:
            service = call["service"]
            if service not in clients:
                clients[service] = boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
            if call["method"] == "enum":
                shape = clients[service].meta.service_model.shape_for(call["parameters"]["shape"])
                answers.append(list(shape.enum))
                continue
            answer = getattr(clients[service], call["method"])(**call["parameters"])
            answer.pop("ResponseMetadata", None)
            answers.append(answer)
    json.dump(answers, sys.stdout, default=str)


main()
