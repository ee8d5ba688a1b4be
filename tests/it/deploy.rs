//! The deployment: templates that are valid, rules that notice what would open them, and a stack
//! on a stand-in for AWS.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lambda-image")
}

fn template() -> String {
    std::fs::read_to_string(folder().join("deploy/lambda.yaml")).unwrap()
}

/// A tool that `cargo xtask test` makes and names.
fn tool(variable: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => path.into(),
        None => panic!("{variable} is not set, `cargo xtask test` makes the tools and sets it"),
    }
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn templates_are_valid() {
    for name in ["lambda.yaml", "router.yaml"] {
        let output = Command::new(tool("SANDGATE_TEST_PYTHON"))
            .args([
                "-c",
                "import sys, cfnlint.runner; sys.exit(cfnlint.runner.main())",
            ])
            .arg(folder().join("deploy").join(name))
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output));
    }
}

#[test]
fn image_files_are_valid() {
    let hadolint = tool("SANDGATE_TEST_PYTHON").with_file_name("hadolint");
    let output = Command::new(hadolint)
        .arg(folder().join("Dockerfile"))
        .arg(folder().join("deploy/router.Dockerfile"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
}

/// The rules that `template` breaks.
fn broken_rules(template: &str) -> Vec<String> {
    let folder_of_template = tempfile::tempdir().unwrap();
    let file = folder_of_template.path().join("template.yaml");
    std::fs::write(&file, template).unwrap();
    let output = Command::new(tool("SANDGATE_TEST_CFN_GUARD"))
        .args(["validate", "--structured", "--output-format", "json"])
        .args(["--show-summary", "none", "--rules"])
        .arg(folder().join("deploy/rules.guard"))
        .arg("--data")
        .arg(&file)
        .output()
        .unwrap();
    let reports: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    let [report] = &reports.as_array().unwrap()[..] else {
        panic!("{reports}")
    };
    let broken = report["not_compliant"].as_array().unwrap();
    let mut names: Vec<_> = broken
        .iter()
        .map(|rule| rule["Rule"]["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    let passed = report["compliant"].as_array().unwrap().len();
    assert_eq!(names.len() + passed, 10, "rules that were not looked at");
    names
}

#[test]
fn rules_hold() {
    assert_eq!(broken_rules(&template()), [""; 0]);
}

/// What somebody might change in a hurry, and the rule that stops it.
const MUTATIONS: &[(&str, &str, &str, &str)] = &[
    (
        "a public route",
        "Resources:\n",
        "Resources:
  Gateway:
    Type: AWS::EC2::InternetGateway
  GatewayAttachment:
    Type: AWS::EC2::VPCGatewayAttachment
    Properties: { VpcId: !Ref Vpc, InternetGatewayId: !Ref Gateway }
  PublicRoute:
    Type: AWS::EC2::Route
    Properties:
      RouteTableId: !Ref RouteTable
      DestinationCidrBlock: 0.0.0.0/0
      GatewayId: !Ref Gateway\n",
        "no_route_out",
    ),
    (
        "a NAT gateway",
        "Resources:\n",
        "Resources:
  Nat:
    Type: AWS::EC2::NatGateway
    Properties: { SubnetId: !Ref SubnetA, ConnectivityType: private }\n",
        "no_route_out",
    ),
    (
        "a way to another network",
        "Resources:\n",
        "Resources:
  Peering:
    Type: AWS::EC2::VPCPeeringConnection
    Properties: { VpcId: !Ref Vpc, PeerVpcId: vpc-12345678 }\n",
        "no_route_out",
    ),
    (
        "public addresses",
        "MapPublicIpOnLaunch: false",
        "MapPublicIpOnLaunch: true",
        "subnets_are_private",
    ),
    (
        "open egress",
        "DestinationPrefixListId: !Ref S3PrefixListId",
        "CidrIp: 0.0.0.0/0",
        "egress_to_s3_only",
    ),
    (
        "open egress over IPv6",
        "DestinationPrefixListId: !Ref S3PrefixListId",
        "CidrIpv6: ::/0",
        "egress_to_s3_only",
    ),
    // Without any rule of its own, a security group lets everything out.
    (
        "no egress rules",
        "      SecurityGroupEgress:
        - IpProtocol: tcp
          FromPort: 443
          ToPort: 443
          DestinationPrefixListId: !Ref S3PrefixListId
          Description: S3 through the gateway endpoint\n",
        "",
        "egress_to_s3_only",
    ),
    (
        "an endpoint to every bucket",
        "Resource: !Sub \"${Bucket.Arn}/transfer/*\"",
        "Resource: \"*\"",
        "endpoint_reaches_one_bucket",
    ),
    (
        "no policy on the endpoint",
        "      PolicyDocument:
        Version: \"2012-10-17\"
        Statement:
          - Sid: PassageOfOneBucket
            Effect: Allow
            Principal: \"*\"
            Action: [\"s3:GetObject\", \"s3:PutObject\"]
            Resource: !Sub \"${Bucket.Arn}/transfer/*\"\n",
        "",
        "endpoint_reaches_one_bucket",
    ),
    (
        "a function outside the network",
        "      VpcConfig:
        SubnetIds: [!Ref SubnetA, !Ref SubnetB]
        SecurityGroupIds: [!Ref FunctionSecurityGroup]\n",
        "",
        "function_is_confined",
    ),
    (
        "no bound on concurrency",
        "      ReservedConcurrentExecutions: !Ref ReservedConcurrency\n",
        "",
        "function_is_confined",
    ),
    (
        "a secret in the environment",
        "      PackageType: Image\n",
        "      PackageType: Image\n      Environment: { Variables: { TOKEN: secret } }\n",
        "function_is_confined",
    ),
    (
        "a right to read the bucket",
        "Action: [\"logs:CreateLogStream\", \"logs:PutLogEvents\"]",
        "Action: [\"logs:CreateLogStream\", \"logs:PutLogEvents\", \"s3:GetObject\"]",
        "function_role_has_no_s3",
    ),
    (
        "a right to everything",
        "Action: [\"logs:CreateLogStream\", \"logs:PutLogEvents\"]",
        "Action: \"*\"",
        "function_role_has_no_s3",
    ),
    (
        "a managed policy",
        "      Policies:
        - PolicyName: log-and-network-interfaces",
        "      ManagedPolicyArns: [\"arn:aws:iam::aws:policy/AmazonS3FullAccess\"]
      Policies:
        - PolicyName: log-and-network-interfaces",
        "function_role_has_no_s3",
    ),
    (
        "rights of the role for the code",
        "Effect: Deny
                Action: \"ec2:*\"",
        "Effect: Allow
                Action: \"ec2:*\"",
        "role_is_useless_to_the_code",
    ),
    (
        "an alias of whatever is newest",
        "FunctionVersion: !GetAtt FunctionVersion.Version",
        "FunctionVersion: $LATEST",
        "only_a_version_is_invoked",
    ),
    (
        "a public bucket",
        "RestrictPublicBuckets: true",
        "RestrictPublicBuckets: false",
        "bucket_is_private",
    ),
    (
        "unencrypted transport",
        "\"aws:SecureTransport\": \"false\"",
        "\"aws:SecureTransport\": \"true\"",
        "bucket_is_private",
    ),
    (
        "images that are not scanned",
        "ScanOnPush: true",
        "ScanOnPush: false",
        "images_are_scanned_and_fixed",
    ),
    (
        "tags that move",
        "ImageTagMutability: IMMUTABLE",
        "ImageTagMutability: MUTABLE",
        "images_are_scanned_and_fixed",
    ),
];

#[test]
fn each_opening_breaks_its_rule() {
    let template = template();
    for (name, from, to, rule) in MUTATIONS {
        let mutated = template.replacen(from, to, 1);
        assert_ne!(mutated, template, "{name}: the template has no such line");
        let broken = broken_rules(&mutated);
        assert!(broken.iter().any(|b| b == rule), "{name}: only {broken:?}");
    }
}

#[test]
fn stack_is_closed_where_the_stand_in_shows_it() {
    let output = Command::new(tool("SANDGATE_TEST_PYTHON"))
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools/deploy_to_moto.py"))
        .arg(folder().join("deploy/lambda.yaml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let stack: Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = [
        ("status", json!("CREATE_COMPLETE")),
        ("internet_gateways", json!(0)),
        ("nat_gateways", json!(0)),
        ("subnets", json!(2)),
        ("zones", json!(2)),
        ("security_groups", json!(1)),
        ("reserved_concurrency", json!(7)),
        ("timeout", json!(30)),
        ("memory", json!(2048)),
    ];
    for (field, value) in expected {
        assert_eq!(stack[field], value, "{field} of {stack}");
    }
    for route in stack["routes"].as_array().unwrap() {
        let route = route.as_str().unwrap();
        assert!(
            route == "10.42.0.0/16" || route.starts_with("pl-"),
            "a route out: {route}"
        );
    }
    let [endpoint] = &stack["endpoints"].as_array().unwrap()[..] else {
        panic!("{stack}")
    };
    assert_eq!(endpoint["type"], "Gateway");
    let [statement] = &endpoint["policy"]["Statement"].as_array().unwrap()[..] else {
        panic!("{endpoint}")
    };
    let bucket = stack["outputs"]["BucketName"].as_str().unwrap();
    assert_eq!(
        statement["Resource"],
        format!("arn:aws:s3:::{bucket}/transfer/*")
    );
}
