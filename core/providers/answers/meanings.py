"""The table of rules that tell the error kind of a failure by its status, code and words.

Vendors' status codes lie: an empty account is a 400 at one and a 429 at another, an outage is a
400 at a third, and gateways pass all of it on as they like. So words come before codes, and the
first rule that fits decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.providers.answers.complaint import Complaint
from core.values.outcomes import ErrorKind

_ANY = range(1000)  # 0: an error inside a 200 of which nothing tells the status
_SEARCHED = 2000  # characters of a vendor's words


@dataclass(frozen=True, slots=True)
class Rule:
    kind: ErrorKind
    words: tuple[str, ...] = ()  # patterns for the error's codes and message, lower case
    statuses: range | tuple[int, ...] = _ANY
    own: bool | None = None  # only in a vendor's own form, or only in another; None: either
    provider: str = ""  # only of this one

    def fits(self, provider: str, status: int, complaint: Complaint, text: str) -> bool:
        return (
            status in self.statuses
            and self.own in (None, complaint.own)
            and self.provider in ("", provider)
            and re.search("|".join(self.words), text) is not None
        )


# A model, with its name at most between the word and what is said of it.
_MODEL = (
    r"models?:? ?(id|name|version|you requested|requested|specified)?[ :]{0,3}"
    r"[`'\"“(]?[\w./:@+-]{0,80}[`'\"”)]?,? ?"
    r"(is |are |was |were |has |have |been |does |do |could |can |\W){0,6}"
)

# The patterns are joined by "or".
_OUT_OF_MONEY = (
    r"insufficient[_ ](quota|balance|funds|credits?|account balance)",
    r"exceeded_current_quota|credit balance|billing_error|billing_not_active|account is not active",
    r"billing[_ ](hard[_ ]|soft[_ ])?limit|usage_limit_reached|specified api usage limits",
    r"billing (account )?(is |to be |has been )?(disabled|not active|not enabled|enabled|closed)",
    r"billing_disabled|spend(ing)?[_ ](limit|cap)|(monthly|daily|usage) (usage |budget )?cap\b",
    r"organization_on_hold|perday|budget[_ ]?(has been )?exceeded|(over|crossed) budget",
    r"exceeded.{0,30}budget|credits?\b.{0,30}(depleted|exhausted|expired|used up|ran out)",
    r"(out of|not enough|no remaining|more|purchase|buy|add)( \w+)? credits?\b",
    r"payment[_ -]required|past[_ ]due|unpaid|in arrears|arrearage|top up your|please recharge",
    r"out of (extra usage|call volume quota)|draw from your extra usage",
    r"余额不足|欠费",
    # Google says so of each limit, and what it means in its codes.
    r"\A(?!.*resource_exhausted).*exceeded your current (token )?quota",
)
_TOO_LONG = (
    r"context[_ -]?(length|window|size|limit)|(prompt|input) (is |was )?too (long|large)",
    r"exceed_context_size|exceed(ed|s)?.{0,20}model token limit|input token count.{0,40}exceed",
    r"string_above_max_length|too many (input |prompt |total )?tokens|request_too_large",
    r"maximum (prompt|input|sequence|model) length|max_(model|prompt|seq|input)_(len|tokens)",
    r"reduce the length of|(prompt|input)\b.{0,60}too (long|large) (for|to)",
    r"token (count|length).{0,30}exceed|tokens?\b.{0,40}exceeds? the (model|maximum|limit)",
    r"inputs?`? (tokens|must have less than)|payload size exceeds|range of input length",
    r"(reduce|shorten) (your|the) (prompt|input|messages?)\b|more tokens\b.{0,40}context can hold",
)
_TOO_BUSY = (
    r"overloaded|degraded function|no healthy upstream|upstream connect error|high demand",
    r"(at|over|no|insufficient|out of|exceeded).{0,12} capacity|server (is )?(too )?busy",
    r"temporarily unavailable|service[_ ]unavailable|model is (still |currently )?loading",
    r"loading model|insufficient_system_resource|no healthy (deployments?|backend|instances?)",
)
_BAD_KEY = (
    r"api_key_invalid|invalid_api_key|key_expired|invalid_token|expired_token|token (has )?expired",
    r"api[ _-]?key (is |has |was )?(been )?(not valid|invalid|expired|missing|not found|incorrect)",
    r"api[ _-]?key was reported|no auth credentials|invalid (proxy server|access|bearer) token",
    r"(incorrect|invalid|missing|no|malformed|wrong)( or \w+)? (x-)?api[ _-]?key",
    r"unregistered callers|authorization failed|authentication_error|authentication fail",
    r"invalid[_ ]authentication|unauthenticated|not_authenticated|invalid subscription key",
)
_BARRED = (
    r"(organi[sz]ation|account|project|workspace|consumer)\b.{0,60}\b"
    r"(disabled|deactivated|suspended|banned|terminated|restricted)",
    r"(account|key) (is|was|has been) (blocked|disabled|revoked|deactivated)",
    r"account_deactivated|access[_ ](was |has been )?terminated|identity verification",
    r"(must|to) be verified\b|not verified|requires verification|accept (the|our) terms",
    r"unsupported_country|(not (supported|available|allowed)|unavailable) in your (country|region)",
    r"(location|country|region|territory)\b.{0,60}not (supported|available|allowed|permitted)",
    r"not allowed to (access|use)|key_model_access_denied|data policy",
    r"ip (address )?.{0,40}not (allowed|authori[sz]ed)",
)
_NO_SUCH_MODEL = (
    r"model.{0,80}does not exist|model not exist|supported (api )?model names",
    rf"{_MODEL}(not (be )?found|not exist|unknown|not (currently )?available|no longer|deprecated)",
    rf"{_MODEL}(retired|decommissioned|removed|shut ?down|sunset|end[ -]of[ -]life)",
    rf"{_MODEL}not (a )?(valid|supported|served|recogni[sz]ed)",
    r"(unknown|invalid|no such|unsupported|unrecogni[sz]ed|not find|not found the)( \w+)? model\b",
    r"invalid model name|not a (valid|chat) model|no models? (are |is )?(currently )?loaded",
    r"deployment\b.{0,60}(not exist|not found)|no endpoints found|no available channel",
    r"model_not_(available|supported)|invalid_model|unknown_model|not found for account",
    r"reached (its|the) end of life|model identifier is invalid|模型不存在",
)
_DECLINED = (
    r"content[_ ]?(filter|policy|management|blocked|moderation|safety)|responsible_?ai",
    r"usage polic|high risk|content exists risk|data_?inspection|invalid_prompt|prohibited_content",
    r"flagged (as|for|by)|was flagged|moderation|guardrail|sensitive_words",
    r"violat(e|es|ed|ing|ion)\b.{0,60}(polic|guideline|terms)",
    r"(inappropriate|sensitive|unsafe|harmful|prohibited) content",
    r"safety (system|filter|reasons|policy|settings|guidelines)",
    r"blocked by.{0,30}(safety|filter|policy)|敏感内容|违规",
)
_NO_SUCH_ADDRESS = (
    r"invalid url|url[._ ]not[._ ]found|unrecogni[sz]ed request url|unexpected endpoint",
    r"(unknown|no such) (request )?(url|path|route|endpoint)|no route|route\b.{0,80}not found",
    r"cannot (post|get) |file not found|method not allowed|(?<!\w)404 resource not found",
    r"the requested (url|path|resource)\b.{0,80}not found|(?<!resource_)not_found_error not found",
)

RULES = (
    Rule(ErrorKind.BILLING, _OUT_OF_MONEY),
    Rule(ErrorKind.BILLING, statuses=(402,)),
    Rule(ErrorKind.CONTEXT_TOO_LONG, _TOO_LONG, (0, 400, 413, 422, 424, 500)),
    Rule(ErrorKind.CONTEXT_TOO_LONG, (r"request too large",), (429,)),
    Rule(ErrorKind.OVERLOADED, _TOO_BUSY, (0, *range(400, 404), *range(405, 600))),
    Rule(ErrorKind.AUTH, _BAD_KEY, (0, 400, 401, 403)),
    Rule(ErrorKind.PERMISSION, _BARRED, (0, 400, 401, 403, 404, 409, 422, 451)),
    Rule(ErrorKind.MODEL_NOT_FOUND, (r"(model|deployment)_?not_?found|model_?decommissioned",)),
    Rule(ErrorKind.MODEL_NOT_FOUND, _NO_SUCH_MODEL, (0, 400, 403, 404, 410, 422, 500)),
    Rule(ErrorKind.REFUSED, _DECLINED, (0, 400, 403, 422, 451, 500)),
    Rule(ErrorKind.AUTH, statuses=(401,)),
    Rule(
        ErrorKind.RATE_LIMITED,
        (
            r"rate[_ -]?limit|too[_ ]many[_ ]requests|resource[_ ]?exhausted|throttl",
            r"(tokens|requests) per (min|hour|day|second)",
        ),
        (0, 400, 403, 500),
    ),
    Rule(ErrorKind.PERMISSION, statuses=(403, 451)),
    Rule(ErrorKind.BAD_RESPONSE, _NO_SUCH_ADDRESS, (0, 404, 405)),
    # Its gateway, whose address is right, says so of a model that it does not know.
    Rule(ErrorKind.MODEL_NOT_FOUND, (r"page not found",), (404,), provider="nvidia"),
    Rule(ErrorKind.MODEL_NOT_FOUND, statuses=(404,), own=True),
    Rule(ErrorKind.BAD_RESPONSE, statuses=(404, 405, 407, 421, 426)),
    Rule(ErrorKind.MODEL_NOT_FOUND, statuses=(410,)),
    Rule(ErrorKind.TIMEOUT, (r"timed? ?-?out|deadline[_ ]exceeded",), (0,)),
    Rule(ErrorKind.TIMEOUT, statuses=(408, 499, 504, 522, 524)),
    Rule(ErrorKind.CONTEXT_TOO_LONG, statuses=(413,)),
    Rule(ErrorKind.RATE_LIMITED, statuses=(429,)),
    Rule(ErrorKind.OVERLOADED, statuses=(503, 529)),
    Rule(ErrorKind.BAD_REQUEST, statuses=range(400, 500)),
    Rule(ErrorKind.SERVER_ERROR, statuses=(0, *range(500, 1000))),
)

# The status that an error inside a 200 would have had, by its type or code.
_STATUSES: tuple[tuple[str, int], ...] = (
    (r"overloaded|unavailable", 503),
    (r"rate_?limit|too_?many_?requests|resource_?exhausted|throttl|quota", 429),
    (r"authentication|unauthenticated|unauthori[sz]ed|api_key", 401),
    (r"permission|forbidden", 403),
    (r"billing|payment", 402),
    (r"not_?found", 404),
    (r"too_?large", 413),
    (r"timeout|deadline", 504),
    (r"invalid_?request|bad_?request|invalid_?argument|unprocessable|failed_?precondition", 400),
    (r"internal|server_?error|api_?error", 500),
)


def kind_of(
    provider: str, status: int, complaint: Complaint, *, listing: bool = False
) -> ErrorKind:
    """`status` is 0 for an error inside a 200 of which nothing tells the status.

    Where the list of models was asked for, what is not found is the list.
    """
    if listing and status == 404:
        return ErrorKind.BAD_RESPONSE
    said = " ".join(f"{complaint.codes} {complaint.words[:_SEARCHED]}".lower().split())
    text = "" if complaint.page else said
    fitting = (rule.kind for rule in RULES if rule.fits(provider, status, complaint, text))
    return next(fitting, ErrorKind.BAD_RESPONSE)


def status_inside(complaint: Complaint) -> int:
    """What an error that came with a 200, or in a stream, would have had for a status; or 0."""
    if complaint.status:
        return complaint.status
    codes = complaint.codes.lower()
    return next((status for words, status in _STATUSES if re.search(words, codes)), 0)
