"""R-J1, R-J2: the mapping templates of POST /jobs, evaluated by a Velocity engine."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, quote_plus

import airspeed
import pytest

from jobs_api.cors import EXPOSED_HEADERS

TEMPLATES = Path(__file__).parents[2] / "modules/api/templates"
REQUEST = TEMPLATES.joinpath("post_jobs_request.vtl").read_text().removesuffix("\n")
MODULE = TEMPLATES.parent
RESPONSE = TEMPLATES.joinpath("post_jobs_response.vtl").read_text()
CORS_ORIGIN = TEMPLATES.joinpath("cors_origin.vtl").read_text()
REFUSED = TEMPLATES.joinpath("post_jobs_refused.vtl").read_text()


class Input:
    """API Gateway's `$input`: the raw body, and simple paths into it."""

    def __init__(self, body):
        self.body = body

    def path(self, expression):
        value = json.loads(self.body)
        for name in expression.removeprefix("$.").split("."):
            value = value[name]
        return value


UTIL = SimpleNamespace(urlEncode=lambda text: quote_plus(str(text)))


def users():
    """Where each mode takes the user from; `trusted` stands for the modes in which the body says it."""
    of_tokens = re.findall(
        r'^ +([A-Z_]+) += "(\$context\.authorizer\.[^"]+)"$', MODULE.joinpath("authorizer.tf").read_text(), re.MULTILINE
    )
    (of_body,) = re.findall(
        r'lookup\(local\.token_users, var\.authorization, "(.+)"\)', MODULE.joinpath("post_jobs.tf").read_text()
    )
    return {"trusted": of_body, **dict(of_tokens)}


def form(body, mode="trusted", authorizer=None):
    """The call that SQS gets."""
    template = REQUEST.replace("${user}", users()[mode])
    context = {"authorizer": authorizer or {}}
    rendered = airspeed.Template(template).merge({"input": Input(body), "util": UTIL, "context": context})
    assert rendered == rendered.strip()
    return parse_qs(rendered, keep_blank_values=True, strict_parsing=True)


def body(**fields):
    return json.dumps({"userId": "user-1", "jobType": "blog-post", "input": {}} | fields, ensure_ascii=False)


def test_the_call_is_send_message_with_group_and_attributes():  # R-J1
    text = body()
    assert form(text) == {
        "Action": ["SendMessage"],
        "MessageBody": [text],
        "MessageGroupId": ["user-1"],
        "MessageAttribute.1.Name": ["UserId"],
        "MessageAttribute.1.Value.DataType": ["String"],
        "MessageAttribute.1.Value.StringValue": ["user-1"],
        "MessageAttribute.2.Name": ["JobType"],
        "MessageAttribute.2.Value.DataType": ["String"],
        "MessageAttribute.2.Value.StringValue": ["blog-post"],
    }


@pytest.mark.parametrize(
    "text",
    [
        "a&Action=DeleteQueue&QueueUrl=x",
        "1 + 1 = 2",
        "100 % %26 %0A",
        "\"double\" 'single' `back`",
        "naïve Ümlaut 日本語 🏠",
        "line\nbreak\r\ntab\t",
        "$input.body #set($x = 1) ${util} #if(true)x#end $!x ## comment",
        "x" * 200_000,
    ],
    ids=["ampersand", "plus", "percent", "quotes", "unicode", "newlines", "velocity", "200 KB"],
)
def test_nothing_in_a_body_can_change_the_call(text):  # R-J1
    whole = body(input={"text": text, text[:20]: 1}, traceId="t")
    parameters = form(whole)
    assert parameters["MessageBody"] == [whole]
    assert parameters["Action"] == ["SendMessage"]
    assert len(parameters) == 9


@pytest.mark.parametrize("hostile", ["u&MessageGroupId=other", "u&Action=PurgeQueue", "a b", "ü", '"', "$util"])
def test_a_hostile_user_id_stays_one_value(hostile):
    """The gateway's model refuses these before; the template does not lean on it."""
    parameters = form(body(userId=hostile, jobType=hostile))
    assert parameters["MessageGroupId"] == parameters["MessageAttribute.1.Value.StringValue"] == [hostile]
    assert parameters["MessageAttribute.2.Value.StringValue"] == [hostile]
    assert len(parameters) == 9


AUTHORIZERS = {
    "COGNITO_USER_POOLS": lambda user: {"claims": {"sub": user, "email": "a@b"}},
    "CUSTOM": lambda user: {"principalId": user, "claims": "ours", "userId": "other"},
}


def test_every_token_mode_is_tested_here():
    assert set(users()) == {"trusted", *AUTHORIZERS}


@pytest.mark.parametrize("mode", AUTHORIZERS)
def test_in_a_token_mode_the_user_is_whom_the_token_names(mode):
    """The model refuses a userId in the body; the template does not lean on it."""
    whole = body(userId="somebody-else")
    parameters = form(whole, mode, AUTHORIZERS[mode]("user-7"))
    assert parameters["MessageGroupId"] == parameters["MessageAttribute.1.Value.StringValue"] == ["user-7"]
    assert parameters["MessageAttribute.1.Name"] == ["UserId"]
    assert parameters["MessageBody"] == [whole]
    assert len(parameters) == 9


@pytest.mark.parametrize("mode", AUTHORIZERS)
@pytest.mark.parametrize("hostile", ["u&MessageGroupId=other", "u&Action=PurgeQueue", "a b", "ü", '"', "$util", "%26"])
def test_an_identity_stays_one_value(mode, hostile):
    parameters = form(body(), mode, AUTHORIZERS[mode](hostile))
    assert parameters["MessageGroupId"] == parameters["MessageAttribute.1.Value.StringValue"] == [hostile]
    assert parameters["Action"] == ["SendMessage"]
    assert len(parameters) == 9


@pytest.mark.parametrize("mode", AUTHORIZERS)
def test_without_an_identity_there_is_no_user_that_could_be_one(mode):
    """Velocity leaves a reference to nothing as it stands, which is no user id: the message is no job."""
    (user,) = form(body(), mode)["MessageAttribute.1.Value.StringValue"]
    assert "$" in user


def test_there_is_no_branch_in_the_template():
    assert "#" not in REQUEST


def test_the_answer_gives_the_message_id_as_job_id_and_says_where_to_look():  # R-J2
    answer = json.dumps({"SendMessageResponse": {"SendMessageResult": {"MessageId": "6f6a-1"}}})
    context = {"path": "/v1/jobs", "responseOverride": {"header": {}}}
    rendered = airspeed.Template(RESPONSE).merge({"input": Input(answer), "util": UTIL, "context": context})
    assert json.loads(rendered) == {"jobId": "6f6a-1", "status": "queued"}
    assert context["responseOverride"]["header"] == {"Location": "/v1/jobs/6f6a-1"}


@pytest.fixture(autouse=True)
def booleans_as_in_java(monkeypatch):
    """Velocity writes true and false, where airspeed has Python's words."""
    of_lists = airspeed.__additional_methods__[list]
    monkeypatch.setitem(of_lists, "contains", lambda items, item: str(item in items).lower())


def refusal(answer):
    """Status and code of what the caller of POST is told when SQS answers 400 with this."""
    bodies = {name: json.dumps({"error": {"code": name}}) for name in ("refused", "unavailable")}
    template = re.sub(r"\$\{(\w+)\}", lambda found: bodies[found[1]], REFUSED)
    context = {"responseOverride": {"header": {}}}
    rendered = airspeed.Template(template).merge({"input": Answer(answer), "context": context})
    return context["responseOverride"]["status"], json.loads(rendered)["error"]["code"]


class Answer(Input):
    """`$input` of a response template: SQS's answer. A path that leads nowhere is empty."""

    def path(self, expression):
        try:
            return super().path(expression)
        except (KeyError, TypeError, ValueError):
            return ""


def error_of_sqs(code):
    return json.dumps({"Error": {"Code": code, "Message": "what SQS says", "Type": "Sender"}, "RequestId": "r-1"})


@pytest.mark.parametrize("code", ["InvalidMessageContents", "InvalidParameterValue"])
def test_what_the_caller_did_wrong_is_a_400(code):  # R-J2
    """A character that SQS does not take, and a message that is too long."""
    assert refusal(error_of_sqs(code)) == (400, "refused")


@pytest.mark.parametrize(
    "answer",
    [
        *map(
            error_of_sqs,
            [
                "AWS.SimpleQueueService.NonExistentQueue",
                "AccessDeniedException",
                "KMS.AccessDeniedException",
                "KMS.DisabledException",
                "KMS.InvalidKeyUsageException",
                "KMS.InvalidStateException",
                "KMS.NotFoundException",
                "KMS.ThrottlingException",
                "RequestExpired",
                "Throttling",
                "ThrottlingException",
                "something new",
                "",
            ],
        ),
        "{}",
        '{"Error": null}',
        "<ErrorResponse><Error><Code>InvalidParameterValue</Code></Error></ErrorResponse>",
    ],
    ids=lambda answer: "".join(re.findall(r'"Code": "(.*?)"', answer)) or answer[:20],
)
def test_what_sqs_refuses_for_any_other_reason_is_our_fault(answer):  # R-J2
    assert refusal(answer) == (503, "unavailable")


def test_the_bodies_of_refusals_stay_what_they_are_in_a_velocity_string():
    """They are put between single quotes, which nothing in them may end."""
    bodies = MODULE.joinpath("main.tf").read_text().partition("error_bodies = {")[2].partition("\n}\n")[0]
    assert "MESSAGE_REFUSED" in bodies
    assert "'" not in bodies


def test_the_first_calls_of_a_deployment_find_what_they_need():  # R-J2
    (waits_for,) = re.findall(
        r'resource "aws_api_gateway_deployment" "this" \{.*?depends_on = \[(.*?)\]',
        MODULE.joinpath("stage.tf").read_text(),
        re.DOTALL,
    )
    permissions = {"iam_role_policy.post_jobs", "lambda_permission.function", "lambda_permission.authorizer"}
    assert permissions <= set(re.findall(r"aws_([a-z_]+\.[a-z_]+)", waits_for))


ORIGINS = ["https://app.example.com", "http://localhost:3000"]


def allowed_origin(**headers):
    """The header Access-Control-Allow-Origin of an answer, where two origins are let in."""
    template = CORS_ORIGIN.replace("${origins}", json.dumps(ORIGINS)).replace("${first}", ORIGINS[0])
    # Velocity takes hyphens in names; airspeed does not.
    template = template.replace("header.Access-Control-Allow-Origin", "header.AllowOrigin")
    asked = SimpleNamespace(params=lambda: SimpleNamespace(header=headers))
    context = {"responseOverride": {"header": {}}}
    rendered = airspeed.Template(template).merge({"input": asked, "context": context})
    assert rendered == "", "the answer's body comes after it"
    return context["responseOverride"]["header"]


@pytest.mark.parametrize("name", ["Origin", "origin"])
@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_that_is_let_in_is_named(name, origin):
    assert allowed_origin(**{name: origin}) == {"AllowOrigin": origin}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://app.example.com.evil.example"},
        {"Origin": "https://app.example.co"},
        {"origin": "https://evil.example", "Origin": "https://evil.example"},
    ],
)
def test_no_other_origin_is_ever_named(headers):
    assert allowed_origin(**headers) == {"AllowOrigin": ORIGINS[0]}


def test_the_gateway_and_the_function_let_pages_read_the_same_headers():
    (named,) = re.findall(r'cors_exposed_headers = "(.+)"', MODULE.joinpath("cors.tf").read_text())
    assert named == EXPOSED_HEADERS
