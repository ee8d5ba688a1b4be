"""Deploys lambda.yaml to a moto server on loopback and prints, as JSON, what came of it.

Only what moto shows truly is looked at: gateways and routes, the endpoint with its policy, the
function's place and bounds. It keeps allow-all egress whatever a template says, and knows no
bucket policies and lifecycles, so those are left to the rules.

    python deploy_to_moto.py TEMPLATE
"""

import ast
import json
import logging
import os
import sys

os.environ.update(
    AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="eu-central-1"
)

import boto3
from moto.server import ThreadedMotoServer

STACK = "sandgate"


def main(template: str) -> None:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        print(json.dumps(deploy(template, f"http://{host}:{port}")))
    finally:
        server.stop()


def deploy(template: str, endpoint: str) -> dict:
    def client(service):
        return boto3.client(service, endpoint_url=endpoint)

    account = client("sts").get_caller_identity()["Account"]
    parameters = {
        "ImageUri": f"{account}.dkr.ecr.eu-central-1.amazonaws.com/sandgate-runner@sha256:" + 64 * "a",
        "S3PrefixListId": "pl-6ea54007",
        "ReservedConcurrency": "7",
    }
    client("cloudformation").create_stack(
        StackName=STACK,
        TemplateBody=template,
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    stack = client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}

    ec2 = client("ec2")
    function = client("lambda").get_function(FunctionName=outputs["FunctionName"])
    place = function["Configuration"]["VpcConfig"]
    vpc = ec2.describe_subnets(SubnetIds=place["SubnetIds"])["Subnets"][0]["VpcId"]
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    routes = [
        route
        for table in ec2.describe_route_tables(Filters=inside)["RouteTables"]
        for route in table["Routes"]
    ]
    endpoints = ec2.describe_vpc_endpoints(Filters=inside)["VpcEndpoints"]
    return {
        "status": stack["StackStatus"],
        "outputs": outputs,
        "internet_gateways": len(
            ec2.describe_internet_gateways(
                Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}]
            )["InternetGateways"]
        ),
        "nat_gateways": len(ec2.describe_nat_gateways(Filters=inside)["NatGateways"]),
        "routes": sorted(
            route.get("DestinationCidrBlock", route.get("DestinationPrefixListId", "?"))
            for route in routes
        ),
        "endpoints": [
            {
                "service": e["ServiceName"],
                "type": e["VpcEndpointType"],
                # moto keeps it as Python prints it.
                "policy": ast.literal_eval(e["PolicyDocument"]),
            }
            for e in endpoints
        ],
        "subnets": len(place["SubnetIds"]),
        "zones": len(
            {
                s["AvailabilityZone"]
                for s in ec2.describe_subnets(SubnetIds=place["SubnetIds"])["Subnets"]
            }
        ),
        "security_groups": len(place["SecurityGroupIds"]),
        "reserved_concurrency": function.get("Concurrency", {}).get(
            "ReservedConcurrentExecutions"
        ),
        "timeout": function["Configuration"]["Timeout"],
        "memory": function["Configuration"]["MemorySize"],
    }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        main(file.read())
