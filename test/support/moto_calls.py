"""Creates what a template says in moto: reads a list of calls from stdin and writes what moto describes afterwards to stdout.

boto3 holds each call against AWS's own description of the service before moto sees it; properties of CloudFormation have the names of the
API's parameters; so is each value held that is one of a few, which boto3 itself lets pass. The method `enum` gives what that description allows,
`describes` holds the parameters of an operation against it that moto does not have.
"""

import json
import sys

import boto3
from botocore.validate import validate_parameters
from moto import mock_aws

REGION = "eu-west-1"


def hold_enums(shape, value, path):
    """Raises for a text that is none of those that the shape names."""
    if shape.type_name == "structure":
        for name, child in value.items():
            hold_enums(shape.members[name], child, f"{path}.{name}")
    elif shape.type_name == "list":
        for index, child in enumerate(value):
            hold_enums(shape.member, child, f"{path}[{index}]")
    elif shape.type_name == "map":
        for name, child in value.items():
            hold_enums(shape.value, child, f"{path}.{name}")
    elif getattr(shape, "enum", None) and value not in shape.enum:
        raise ValueError(f"{path} is {value!r}, which is none of {shape.enum}")


def hold(client, operation, parameters):
    shape = client.meta.service_model.operation_model(operation).input_shape
    validate_parameters(parameters, shape)
    hold_enums(shape, parameters, operation)


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
            if call["method"] == "describes":
                hold(clients[service], call["parameters"]["operation"], call["parameters"]["input"])
                answers.append({})
                continue
            hold(clients[service], clients[service].meta.method_to_api_mapping[call["method"]], call["parameters"])
            answer = getattr(clients[service], call["method"])(**call["parameters"])
            answer.pop("ResponseMetadata", None)
            answers.append(answer)
    json.dump(answers, sys.stdout, default=str)


main()
