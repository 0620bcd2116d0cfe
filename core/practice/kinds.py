"""What a plan for each kind of goal consists of: words to know it by, and moves to make.

A move's sentences hold slots that `goal.py` fills: `{thing}` ("the birthday party"), `{item}`
("a data engineer"), `{topic}` (`{matter}` in a query), `{aim}` ("move your office"), `{goal}`
(quoted), `{place}`, `{in_place}` and `{to_place}` ("there" if no place is named), `{where}`
(" in Lisbon" or nothing), `{time}`, `{money}`, `{people}`, `{limits}`. Every sentence must read
well with the kind's wording for a slot as well as with the goal's own words, singular or plural.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal[
    "scope", "facts", "options", "people", "numbers", "draft",
    "detail", "risks", "verify", "schedule", "review", "deliver",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a plan. A parameter whose slot the goal does not fill is left out."""

    agent: str
    plain: str
    rich: str = ""  # the same at greater length; empty: as plain
    tool: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kind:
    named: re.Pattern[str]
    verbs: frozenset[str]  # whose object is the thing itself: "organise", not "ruin"
    wording: Mapping[str, str]  # for slots that the goal leaves empty
    why: str  # the reasoning's first sentence
    caution: str
    moves: Mapping[Role, Move]
    capitals: Literal["place", "tool", "nothing"] = "place"  # what "in X" names
    bare: bool = False  # "Spanish", not "the Spanish"


def _named(words: str, scripts: str) -> re.Pattern[str]:
    """Whole words, and signs of scripts that put no space between words."""
    return re.compile(
        rf"\b(?:{'|'.join(words.split())})\b|{'|'.join(scripts.split())}", re.IGNORECASE
    )


def _words(words: str, *phrases: str) -> frozenset[str]:
    return frozenset((*words.split(), *phrases))


MAKING = _words(
    "plan organise organize arrange prepare create make build develop design write draft launch "
    "start run open manage book hold host produce publish",
    "set up",
    "get ready for",
    "prepare for",
)

_TRIP = Kind(
    named=_named(
        r"trips? travel\w* visit itinerary holidays? vacations? honeymoon flights? hotels? "
        r"road.?trip sightseeing backpacking cruise weekend.(?:in|away) getaway tour reise\w* "
        r"urlaub\w* ausflug städtereise voyages? vacances séjour viajes? vacaciones viajar",
        "旅行 旅游 行程 여행 رحلة سفر путешеств поездк",
    ),
    verbs=MAKING | {"visit"},
    wording={"thing": "the trip", "time": "the stay", "people": "everyone coming along"},
    why="For {thing}, dates and the way there decide most of the cost, so they come first.",
    caution="Prices and opening hours move, so whatever can be cancelled is booked early and "
    "everything else is checked again before money is spent.",
    moves={
        "scope": Move(
            "planning",
            "Settle the dates, the length of the stay and who is coming.",
            "Write down what is fixed and what is open for {thing}: dates, length of stay, who is "
            "coming and the most it may cost.",
        ),
        "facts": Move(
            "research",
            "Find the ways to get {to_place} and back, with times and prices.",
            "Look up flights, trains and coaches to get {to_place} and back, with travel time, "
            "price and the last day to cancel.",
            "web_search",
            {"query": "how to get to {place}, prices and travel times"},
        ),
        "options": Move(
            "research",
            "Shortlist three places to stay {in_place} for {people}.",
            "Compare places to stay {in_place} for {people} by location, price per night and "
            "recent reviews, and keep the best three.",
            "web_search",
            {"query": "where to stay{where}", "guests": "{people}"},
        ),
        "people": Move(
            "research",
            "Collect sights, food and quiet corners {in_place} that suit {people}.",
            "Collect sights, places to eat and things to do in the rain {in_place} that suit "
            "{people}, and mark what must be booked ahead.",
            "web_search",
            {"query": "things to do{where}"},
        ),
        "numbers": Move(
            "budgeting",
            "Add up travel, rooms, food and tickets, and keep the total within {money}.",
            "Set up a cost sheet for travel, rooms, food and tickets with ten per cent in "
            "reserve, and hold it against {money}.",
            "spreadsheet",
            {"columns": "travel, rooms, food, tickets, reserve", "limit": "{money}"},
        ),
        "draft": Move(
            "planning",
            "Lay out the itinerary for {time}, with one main thing for each half of the day.",
            "Write the itinerary for {time} {in_place}, grouping what lies close together so that "
            "little time is lost on the way.",
        ),
        "detail": Move(
            "research",
            "Work out how to get around {in_place}: tickets, passes and the way from arrival to "
            "the room.",
            tool="maps",
            parameters={"area": "{place}"},
        ),
        "risks": Move(
            "risk",
            "List what could upset {thing} (strikes, weather, illness, sold-out sights) and give "
            "each a way out.",
        ),
        "verify": Move(
            "verification",
            "Check every price, opening hour and connection against a second source.",
        ),
        "schedule": Move(
            "scheduling",
            "Put bookings into the calendar in order, starting with the fares that rise soonest.",
            tool="calendar",
            parameters={"title": "Bookings for {thing}"},
        ),
        "review": Move(
            "review",
            "Read the itinerary as a tired traveller would, and cut what does not fit.",
            "Read the whole itinerary as a tired traveller would, check the walking and waiting "
            "times, and cut what does not fit.",
        ),
        "deliver": Move(
            "writing",
            "Put itinerary, addresses and booking codes on one page that works offline.",
        ),
    },
)

_EVENT = Kind(
    named=_named(
        r"events? team.building party wedding birthday conference workshop meetup hackathon "
        r"off-?site retreat reunion gala festival ceremony celebration celebrate concert "
        r"exhibition dinner fundraiser anniversary barbecue seminar summit (?:sommer)?fest "
        r"feier\w* hochzeit\w* geburtstag\w* veranstaltung konferenz fête mariage "
        r"anniversaire conférence fiesta boda cumpleaños evento",
        "婚礼 派对 会议 活动 パーティー 결혼식 حفل زفاف свадьб",
    ),
    verbs=MAKING | {"throw", "celebrate"},
    wording={"thing": "the event", "people": "all the guests", "time": "the weeks before"},
    why="{thing} depends first on a date, a room and who will come; the rest follows from those.",
    caution="Suppliers and guests both change their minds, so the plan keeps a reserve and a last "
    "date for every decision.",
    moves={
        "scope": Move(
            "planning",
            "Agree on the purpose, the date and the number of guests, and on who decides.",
            "Agree on what {thing} is for, on date and number of guests, on the upper limit of "
            "the cost and on who has the last word.",
        ),
        "facts": Move(
            "research",
            "Find three venues{where} with room for {people} and ask what is free.",
            "Find venues{where} with room for {people}, and note price, access, kitchen, closing "
            "time and the dates still free.",
            "web_search",
            {"query": "event venues{where}", "capacity": "{people}"},
        ),
        "options": Move(
            "research",
            "Compare three caterers on menu, price per head and care with allergies.",
            "Ask three caterers for a quote on the same menu, and compare price per head, staff, "
            "drinks and care with allergies.",
            "web_search",
            {"query": "catering{where}", "servings": "{people}"},
        ),
        "people": Move(
            "coordination",
            "Draw up the guest list for {thing} and send out the invitations.",
            "Draw up the guest list for {thing}, decide how invitations go out, and keep track of "
            "replies, plus-ones and diets.",
            "spreadsheet",
            {"columns": "name, reply, diet, travel"},
        ),
        "numbers": Move(
            "budgeting",
            "Split {money} between venue, food, programme and a reserve, with a figure per head.",
            "Divide {money} between venue, food, programme, equipment and a tenth in reserve, and "
            "work out the cost per head.",
            "spreadsheet",
            {"limit": "{money}", "heads": "{people}"},
        ),
        "draft": Move(
            "planning",
            "Write the running order for {thing}, from setting up to clearing away.",
            "Write the running order for {thing} from setting up to clearing away, with a name "
            "beside every item and air between them.",
        ),
        "detail": Move(
            "logistics",
            "List what has to be hired or bought: sound, light, furniture, decoration, signs.",
        ),
        "risks": Move(
            "risk",
            "Name what could go wrong at {thing} (weather, no-shows, a supplier who drops out) "
            "and settle what happens then.",
        ),
        "verify": Move(
            "verification",
            "Recount heads, seats, portions and costs, and check every quote against them.",
            tool="calculator",
            parameters={"heads": "{people}", "limit": "{money}"},
        ),
        "schedule": Move(
            "scheduling",
            "Set the countdown: booking dates, reminders and a last call to every supplier.",
            tool="calendar",
            parameters={"title": "Countdown to {thing}"},
        ),
        "review": Move(
            "review",
            "Walk through the day as a guest, then as a helper, and close the gaps.",
            "Walk through the day hour by hour, first as a guest and then as a helper, and close "
            "the gaps that show.",
        ),
        "deliver": Move(
            "writing",
            "Write the one-page briefing: who does what, when and where, and whom to call.",
        ),
    },
)

_SOFTWARE = Kind(
    named=_named(
        r"software apps? application website web.?site api rest.api backend frontend database "
        r"python javascript typescript rust code coding deploy\w* "
        r"chatbot bot plugin dashboard script microservices? saas prototype cli programmier\w* "
        r"anwendung webseite datenbank logiciel application site.web aplicación programa "
        r"sitio.web",
        "软件 应用 网站 程序 アプリ 앱 تطبيق برنامج موقع приложени программ",
    ),
    verbs=MAKING | {"implement", "code", "program", "prototype", "release"},
    wording={
        "thing": "the software",
        "topic": "the software",
        "time": "the time available",
        "limits": "the time available",
    },
    why="{thing} will be judged by the one task it does well, so the plan finds that task before "
    "anything is built.",
    caution="Data and access rights are the hardest things to put right later, so they are looked "
    "at before the first release and not after it.",
    moves={
        "scope": Move(
            "planning",
            "Write down what the first version must do, for whom, and what it leaves out.",
            "Write down what the first version has to do, for whom, how anyone will know that it "
            "works, and what is left out on purpose.",
        ),
        "facts": Move(
            "research",
            "Study two or three existing solutions and note what to reuse.",
            "Study how comparable tools solve the same problem, and note what to reuse, what to "
            "copy and what their users complain about.",
            "web_search",
            {"query": "open-source examples: {matter}"},
        ),
        "options": Move(
            "architecture",
            "Choose framework, storage and hosting, with one sentence of reason for each.",
            "Sketch two ways to build {thing} (framework, storage, hosting), compare their cost "
            "and upkeep, and choose one.",
        ),
        "people": Move(
            "design",
            "Describe step by step the three things users will do most.",
            "Describe step by step the three things users will do most, and show the sketches to "
            "two of them before building.",
        ),
        "numbers": Move(
            "estimation",
            "Estimate the effort for each part and hold the sum against {limits}.",
            "Estimate effort and running cost for each part, name the least certain figure, and "
            "hold the sum against {limits}.",
            "spreadsheet",
            {"limit": "{limits}", "columns": "part, days, cost per month"},
        ),
        "draft": Move(
            "coding",
            "Build the smallest version of {thing} that does one useful job from end to end.",
            "Build the smallest version of {thing} that does one useful job from end to end, with "
            "real data and no shortcuts in the middle.",
            "code_editor",
            {"goal": "first working version of {thing}"},
        ),
        "detail": Move(
            "testing",
            "Write tests for the main path, for bad input and for what happens when a service is "
            "down.",
            tool="test_runner",
        ),
        "risks": Move(
            "risk",
            "List what could hurt later (personal data, lost records, heavy load, an abandoned "
            "library) and settle a safeguard for each.",
        ),
        "verify": Move(
            "verification",
            "Measure response time, error rate and test coverage against targets set beforehand.",
            tool="test_runner",
            parameters={"report": "latency, errors, coverage"},
        ),
        "schedule": Move(
            "scheduling",
            "Cut the work into milestones that can each be used, and spread them over {time}.",
            tool="issue_tracker",
            parameters={"milestones": "{time}"},
        ),
        "review": Move(
            "review",
            "Review code, access rights and error messages, and fix what would trip a newcomer.",
        ),
        "deliver": Move(
            "deployment",
            "Release it, and write a short README: how to start it, use it and get help.",
            "Release it to a small group first, watch the errors, and write a short README: how "
            "to start it, use it and get help.",
        ),
    },
    capitals="tool",
)

_REPAIR = Kind(
    named=_named(
        r"bugs? debug\w* refactor\w* migrat\w+ upgrad\w+ outages? incident crash\w* regression "
        r"legacy fehler\w* migrier\w+ bogue migrer migrar",
        "修复 故障 バグ 버그 ошибк",
    ),
    verbs=_words("fix debug solve refactor migrate upgrade update replace repair plan prepare"),
    wording={"thing": "the problem", "limits": "the time available"},
    why="Before anyone touches {thing}, today's state has to be measured; otherwise nobody can "
    "tell whether the change helped.",
    caution="Changes like this go wrong in the corner nobody looked at, so there is a way back "
    "before there is a way forward.",
    moves={
        "scope": Move(
            "planning",
            "Describe the present state, the wanted state and how anyone can tell them apart.",
            "Describe the present state, the wanted state, how anyone can tell them apart, and "
            "what has to keep working meanwhile.",
        ),
        "facts": Move(
            "diagnosis",
            "Gather logs, recent changes and reports that concern {thing}.",
            "Gather logs, recent changes and reports that concern {thing}, and put them in order "
            "of time.",
            "log_search",
            {"query": "{thing}"},
        ),
        "options": Move(
            "architecture",
            "Compare two ways to make the change by effort, risk and time offline.",
            tool="web_search",
            parameters={"query": "how to {aim}"},
        ),
        "people": Move(
            "coordination",
            "List who depends on {thing}, and tell them what will happen and when.",
        ),
        "numbers": Move(
            "measurement",
            "Measure errors, speed and load today, as a baseline.",
            "Measure errors, speed and load over a normal day, and keep the figures as a baseline.",
            "metrics",
            {"report": "errors, speed, load"},
        ),
        "draft": Move(
            "coding",
            "Make the change in small steps, each of which can be undone.",
            "Make the change in small steps, each tested and each of which can be undone without "
            "the next.",
            "code_editor",
            {"goal": "{aim}"},
        ),
        "detail": Move(
            "testing",
            "Rehearse on a copy, with a test that fails before the change and passes after it.",
            tool="test_runner",
        ),
        "risks": Move(
            "risk",
            "Plan the way back: a backup that has been tried, a switch, and the point at which to "
            "turn round.",
        ),
        "verify": Move(
            "verification",
            "Compare the figures before and after, and look for side effects elsewhere.",
            tool="metrics",
            parameters={"report": "before and after"},
        ),
        "schedule": Move(
            "scheduling",
            "Choose a quiet hour for the change and announce it to everyone affected.",
            tool="calendar",
            parameters={"title": "Change to {thing}"},
        ),
        "review": Move(
            "review",
            "Have someone else read the change and try to break it.",
        ),
        "deliver": Move(
            "writing",
            "Write down the cause, the change, and how to notice sooner next time.",
        ),
    },
    capitals="tool",
)

_STUDY = Kind(
    named=_named(
        r"learn\w* stud(?:y|ying) exams? revise revision (?<!of.)course curriculum homework "
        r"tutor\w* mastering practi[sc]e get.better.at certification thesis lern\w* prüfung\w* "
        r"studieren klausur apprendre étudier examens? réviser aprender estudiar exámenes",
        "学习 考试 勉強 공부 تعلم دراسة امتحان выучить учить экзамен",
    ),
    verbs=_words(
        "learn study master practise practice pass revise improve teach memorise memorize "
        "understand",
        "prepare for",
        "get ready for",
        "study for",
        "train for",
        "get better at",
    ),
    wording={"thing": "the subject", "topic": "the subject", "people": "other learners"},
    why="Success in {thing} comes from regular practice more than from long reading, so the plan "
    "is built around short sessions and early tests.",
    caution="Most study plans fail in the second week, so this one keeps free slots and checks "
    "itself early.",
    moves={
        "scope": Move(
            "planning",
            "Define what success in {thing} looks like and take a short test of today's level.",
            "Define what success in {thing} looks like, take a short test of today's level, and "
            "note the gap in plain words.",
        ),
        "facts": Move(
            "research",
            "Find one good course, one book and one source of exercises for {thing}.",
            "Find the courses, books and exercises for {thing} that learners recommend most, and "
            "choose one of each.",
            "web_search",
            {"query": "best course, book and exercises for {thing}"},
        ),
        "options": Move(
            "analysis",
            "Compare self-study, a course, a tutor and a study group by hours and price.",
            "Compare self-study, a course, a tutor and a study group by hours, price and how well "
            "each fits the week.",
        ),
        "people": Move(
            "coordination",
            "Find someone to practise with, and a place where questions on {thing} get answered.",
        ),
        "numbers": Move(
            "analysis",
            "Divide {thing} into topics and spread the hours over {time}.",
            "Divide {thing} into topics, weigh each by difficulty and use, and spread the hours "
            "over {time}.",
            "spreadsheet",
            {"columns": "topic, hours, done", "period": "{time}", "pace": "{pace}"},
        ),
        "draft": Move(
            "planning",
            "Write the study plan for {time}: what to read, practise and repeat in each session.",
            "Write the study plan for {time}, session by session: something new, something to "
            "practise, something to repeat.",
        ),
        "detail": Move(
            "writing",
            "Prepare flash cards and short exercises for the hardest parts of {thing}.",
            tool="flashcards",
            parameters={"subject": "{thing}"},
        ),
        "risks": Move(
            "risk",
            "Name what usually stops learners (missed days, too much theory, no feedback) and "
            "plan a remedy for each.",
        ),
        "verify": Move(
            "assessment",
            "Set a test after every few sessions and record the score, so that progress is a "
            "figure and not a feeling.",
        ),
        "schedule": Move(
            "scheduling",
            "Block fixed times in the calendar, with one slot kept free for catching up.",
            tool="calendar",
            parameters={"title": "Practice: {thing}", "repeat": "{pace}"},
        ),
        "review": Move(
            "assessment",
            "Take a mock test on {thing} and go back to the two weakest topics.",
            "Take a mock test on {thing} under real conditions, and go back to the two weakest "
            "topics before going on.",
        ),
        "deliver": Move(
            "writing",
            "Put plan, material and test dates on one page to tick off.",
        ),
    },
    capitals="nothing",
    bare=True,
)

_HIRING = Kind(
    named=_named(
        r"hir(?:e|es|ing) recruit\w* candidates? job.(?:ad|advert|description|posting)s? "
        r"offre.d.emploi stellenanzeige vacanc(?:y|ies) headhunt\w* employ einstell\w* bewerb\w+ "
        r"personalsuche recrut\w+ embauch\w+ contratar contratación reclutar",
        "招聘 面试 採用 채용 توظيف нанять ваканси",
    ),
    verbs=_words("hire recruit find employ fill plan", "look for", "search for"),
    wording={
        "thing": "the new colleague",
        "item": "the new colleague",
        "topic": "the new colleague",
        "time": "the weeks ahead",
    },
    why="The search for {item} is won or lost by how clearly the work is described, so that comes "
    "before any advert.",
    caution="A fair process needs the same questions for everyone and a written reason for each "
    "decision; the plan sees to both.",
    moves={
        "scope": Move(
            "planning",
            "Agree on what {item} should have achieved after six months, and on the skills that "
            "really takes.",
            "Agree with the team on what {item} should have achieved after six months, which "
            "skills that really takes, and which can be learned on the job.",
        ),
        "facts": Move(
            "research",
            "Look up current pay{where} for {item} and where candidates look for work.",
            "Look up current pay{where} for {item}, how scarce such candidates are, and where "
            "they look for work.",
            "web_search",
            {"query": "salary and job market for {item}{where}"},
        ),
        "options": Move(
            "sourcing",
            "Compare referrals, job boards, an agency and direct contact as ways to find {item}.",
            "Compare referrals, job boards, an agency and direct contact as ways to find {item}: "
            "cost, speed and who would be missed.",
        ),
        "people": Move(
            "coordination",
            "Settle who interviews, who decides, and what each conversation is to find out.",
        ),
        "numbers": Move(
            "budgeting",
            "Work out salary, advertising, interview time and equipment, within {money}.",
            "Work out the cost of the first year (salary, advertising, interview time, "
            "equipment), and keep it within {money}.",
            "spreadsheet",
            {"limit": "{money}"},
        ),
        "draft": Move(
            "writing",
            "Write the advert for {item}: the work, the team, the pay and how to apply.",
            "Write the advert for {item}: the work in concrete tasks, the team, the pay as a "
            "range, and an application that takes ten minutes.",
        ),
        "detail": Move(
            "assessment",
            "Design a short work sample and one score sheet for all candidates.",
        ),
        "risks": Move(
            "risk",
            "Look for bias, legal limits and points where good candidates give up, and change "
            "them.",
        ),
        "verify": Move(
            "verification",
            "Count candidates and days at every stage, and act where the numbers drop.",
            tool="spreadsheet",
            parameters={"columns": "stage, candidates, days"},
        ),
        "schedule": Move(
            "scheduling",
            "Fit advert, interviews, decision and offer into {time}.",
            "Fit advert, interviews, decision and offer into {time}, and promise every candidate "
            "an answer within three days.",
            "calendar",
            {"title": "Search for {item}"},
        ),
        "review": Move(
            "review",
            "Have one person from the team and one from outside it read advert and questions.",
        ),
        "deliver": Move(
            "writing",
            "Write the offer and a plan for the first ninety days.",
        ),
    },
)

_BUDGET = Kind(
    named=_named(
        r"budget\w* sav(?:e|ings?) spending expenses? finances? cash.?flow invest\w* debts? "
        r"costs? mortgage retirement pension sparen haushalt\w* ausgaben kosten épargn\w+ "
        r"dépenses? presupuesto ahorr\w+ gastos",
        "预算 省钱 存钱 予算 예산 ميزانية бюджет",
    ),
    verbs=MAKING | _words("reduce cut lower manage balance track"),
    wording={
        "thing": "the budget",
        "topic": "the budget",
        "money": "the target",
        "time": "the months ahead",
    },
    why="Nobody can steer {thing} without knowing where the money goes today, so the plan starts "
    "from real statements.",
    caution="Estimates in a budget tend to be kind, so the plan tests itself against a bad month.",
    moves={
        "scope": Move(
            "planning",
            "Agree on what counts, from when to when, and who signs off.",
            "Agree on the limits of {thing}: what counts, from when to when, and who signs off.",
        ),
        "facts": Move(
            "research",
            "Collect income and spending of the last three months from the statements.",
            "Collect income and spending of the last three months from statements and bills, and "
            "sort every item into fixed, variable and one-off.",
            "spreadsheet",
            {"columns": "date, item, amount, fixed or variable"},
        ),
        "options": Move(
            "analysis",
            "Find the five largest items and two cheaper ways for each.",
            "Find the five largest items, look for two cheaper ways for each, and note what would "
            "be lost with them.",
            "web_search",
            {"query": "ways to lower {thing}"},
        ),
        "people": Move(
            "interviewing",
            "Ask those affected which spending matters most, and what they would give up first.",
        ),
        "numbers": Move(
            "budgeting",
            "Work out income and costs over {time} and hold the balance against {money}.",
            "Work out income and costs over {time}, in a likely and a poor case, and hold both "
            "against {money}.",
            "calculator",
            {"target": "{money}", "period": "{time}"},
        ),
        "draft": Move(
            "budgeting",
            "Set out {thing} in one table: planned, actual, difference.",
            "Set out {thing} in one table (planned, actual, difference), with a line for what "
            "nobody thought of.",
            "spreadsheet",
            {"columns": "item, planned, actual, difference"},
        ),
        "detail": Move(
            "planning",
            "Set aside a small reserve and decide what it may be used for.",
        ),
        "risks": Move(
            "risk",
            "Try the figures against a bad month: less income, a large repair, higher prices.",
        ),
        "verify": Move(
            "verification",
            "Add up every total again and reconcile it with the statements, to the cent.",
            tool="calculator",
            parameters={"check": "totals against statements"},
        ),
        "schedule": Move(
            "scheduling",
            "Fix a monthly date to compare plan and reality, and a limit at which to act.",
            tool="calendar",
            parameters={"title": "Look at {thing}", "repeat": "monthly"},
        ),
        "review": Move(
            "review",
            "Let someone who did not write it look for the three weakest assumptions.",
        ),
        "deliver": Move(
            "writing",
            "Write a one-page summary: where the money goes, what changes, what that brings.",
        ),
    },
)

_LAUNCH = Kind(
    named=_named(
        r"launch\w* marketing campaign newsletter podcast business startup start-up shop store "
        r"café cafe restaurant branding customers? sales product advertis\w+ "
        r"promot\w+ crowdfund\w* gründ\w+ werbung kampagne lancer lancement campagne lanzar "
        r"lanzamiento negocio tienda",
        "创业 营销 推广 起業 창업 تسويق إطلاق",
    ),
    verbs=MAKING | {"promote", "market", "grow", "introduce", "found", "release"},
    wording={
        "thing": "the launch",
        "topic": "the launch",
        "time": "the weeks ahead",
        "people": "likely customers",
    },
    why="{thing} needs proof that people want it before much money is spent, so the plan looks "
    "for that proof first.",
    caution="Early praise is cheap, so the plan counts what people do and not what they say.",
    moves={
        "scope": Move(
            "planning",
            "Say in one sentence whom {thing} is for, and what would count as success after "
            "three months.",
        ),
        "facts": Move(
            "research",
            "Study the market{where}: who offers something similar, and at what price.",
            "Study the market{where}: who offers something similar, at what price, and what their "
            "customers complain about.",
            "web_search",
            {"query": "competitors and prices: {matter}"},
        ),
        "options": Move(
            "analysis",
            "Compare three channels for reaching the first hundred people.",
            "Compare three channels for reaching the first hundred people by cost, effort and "
            "speed.",
        ),
        "people": Move(
            "interviewing",
            "Talk with five people {thing} is meant for, and keep their own words.",
            "Talk with five people {thing} is meant for, ask what they do today instead, and keep "
            "their own words.",
        ),
        "numbers": Move(
            "budgeting",
            "Work out starting cost, price and break-even point within {money}.",
            "Work out starting cost, monthly cost, price and break-even point, and stay within "
            "{money}.",
            "spreadsheet",
            {"limit": "{money}", "columns": "starting cost, monthly cost, price, break-even"},
        ),
        "draft": Move(
            "writing",
            "Write the offer: what it is, whom it helps, what it costs, why now.",
            "Write the offer for {thing} in the words that people used themselves: what it is, "
            "whom it helps, what it costs.",
        ),
        "detail": Move(
            "design",
            "Prepare the page, the pictures and the first three announcements.",
            tool="document",
            parameters={"title": "Announcements for {thing}"},
        ),
        "risks": Move(
            "risk",
            "List what could stop {thing} (permits, suppliers, too little demand) and set a point "
            "at which to change course.",
        ),
        "verify": Move(
            "analytics",
            "Choose three figures to watch, measure them today and again every week.",
            tool="analytics",
            parameters={"report": "weekly"},
        ),
        "schedule": Move(
            "scheduling",
            "Spread preparation, opening and follow-up over {time}.",
            tool="calendar",
            parameters={"title": "Timeline for {thing}"},
        ),
        "review": Move(
            "review",
            "Show offer and page to someone new to it, and answer in the text whatever they ask.",
        ),
        "deliver": Move(
            "coordination",
            "Write the checklist for the first day: who posts, who answers, what is counted.",
        ),
    },
)

_RESEARCH = Kind(
    named=_named(
        r"research\w* compar\w+ analy[sz]\w* investigat\w+ find.out evaluat\w+ survey report "
        r"literature why best pros.and.cons overview summari[sz]e explain understand trends? "
        r"forsch\w+ recherch\w+ vergleich\w* untersuch\w+ warum étudie analyser pourquoi "
        r"investiga\w* comparar analizar",
        "研究 比较 分析 调查 比較 연구 بحث مقارنة تحليل исследова сравни",
    ),
    verbs=_words(
        "research compare analyse analyze investigate evaluate examine assess review summarise "
        "summarize understand explain find explore write draft choose pick select check",
        "find out",
        "find out about",
        "look into",
        "work out",
        "figure out",
        "write about",
    ),
    wording={"thing": "the question"},
    why="Whatever is said about {topic} should rest on sources that can be checked, so gathering "
    "comes before judging.",
    caution="Where sources disagree the report says so, since a clear doubt is worth more than a "
    "smooth answer.",
    moves={
        "scope": Move(
            "planning",
            "Turn the goal into three questions that evidence can answer.",
            "Turn the goal into three questions that evidence can answer, and say what would "
            "count as an answer to each.",
        ),
        "facts": Move(
            "research",
            "Collect primary sources and recent figures on {topic}.",
            "Collect primary sources and recent figures on {topic}, from people who measured and "
            "not only from those who quote.",
            "web_search",
            {"query": "{matter}"},
        ),
        "options": Move(
            "analysis",
            "Set the possible answers side by side and judge them by the same criteria.",
            "Choose the criteria first, then set the possible answers side by side and judge all "
            "of them in the same way.",
        ),
        "people": Move(
            "research",
            "Find three people who have studied {topic}, and note where they disagree.",
            tool="web_search",
            parameters={"query": "{matter}: experts"},
        ),
        "numbers": Move(
            "analysis",
            "Put the key figures into one table with year, unit and source.",
            "Put the key figures into one table with year, unit and source, and mark those that do "
            "not agree.",
            "spreadsheet",
            {"columns": "figure, year, unit, source"},
        ),
        "draft": Move(
            "writing",
            "Write the findings: the answer first, then the evidence.",
            "Write the findings: the answer first, then the evidence, then what is still open.",
        ),
        "detail": Move(
            "research",
            "Look for what has changed in the last twelve months.",
            tool="web_search",
            parameters={"query": "{matter}: latest news"},
        ),
        "risks": Move(
            "risk",
            "Note where the evidence is thin, old, or paid for by someone with an interest.",
        ),
        "verify": Move(
            "verification",
            "Check every central claim against a second, independent source.",
            tool="web_search",
            parameters={"query": "{matter}: independent data"},
        ),
        "schedule": Move(
            "scheduling",
            "Fit reading, writing and checking into {time}, with a last day for new sources.",
        ),
        "review": Move(
            "review",
            "Read the draft as a sceptic and mark every sentence that lacks a source.",
        ),
        "deliver": Move(
            "writing",
            "Sum up the answer on one page, with a recommendation and the open questions.",
        ),
    },
    capitals="nothing",
)

GENERAL = Kind(
    named=re.compile(r"(?!)"),
    verbs=frozenset(),
    wording={"thing": "the goal", "time": "the weeks ahead"},
    why="To {aim}, it helps to know early what “done” means and which way costs least.",
    caution="What cannot be undone is left for last, so that the plan can still change.",
    moves={
        "scope": Move(
            "planning",
            "Say what will be different once it is done, and how anyone can tell.",
            "Say what will be different once it is done, how anyone can tell, and what is "
            "deliberately left out.",
        ),
        "facts": Move(
            "research",
            "Find out what it takes to {aim}.",
            "Find out what it takes to {aim}, and how others have gone about it.",
            "web_search",
            {"query": "how to {aim}"},
        ),
        "options": Move(
            "analysis",
            "Compare two or three ways by effort, cost and risk.",
            "Describe two or three ways to go about it, and compare them by effort, cost and "
            "what could go wrong.",
        ),
        "people": Move(
            "coordination",
            "List who is affected, who can help and who has to agree.",
        ),
        "numbers": Move(
            "estimation",
            "Estimate time and cost, and hold them against {limits}.",
            "Estimate time and cost of each part, name the least certain figure, and hold the sum "
            "against {limits}.",
            "spreadsheet",
            {"columns": "part, time, cost", "limit": "{limits}"},
        ),
        "draft": Move(
            "planning",
            "Write the plan of action: each next step with an owner and a result.",
            "Write the plan of action: each next step with an owner, a date and a result that can "
            "be seen.",
        ),
        "detail": Move(
            "logistics",
            "Get ready what must be there at the start: material, access, permissions.",
        ),
        "risks": Move(
            "risk",
            "List what is most likely to go wrong, and settle what to do then.",
        ),
        "verify": Move(
            "verification",
            "Choose two or three measures of progress and take a first reading.",
        ),
        "schedule": Move(
            "scheduling",
            "Put the steps in order over {time}, the least certain ones first.",
            tool="calendar",
            parameters={"period": "{time}"},
        ),
        "review": Move(
            "review",
            "Compare the result with what was asked for, and correct what is off.",
            "Compare the result point by point with what was asked for, and correct what is off.",
        ),
        "deliver": Move(
            "writing",
            "Write a one-page summary: what was done, what is left, who does it.",
        ),
    },
)

KINDS: dict[str, Kind] = {
    "trip": _TRIP,
    "event": _EVENT,
    "hiring": _HIRING,
    "study": _STUDY,
    "repair": _REPAIR,
    "software": _SOFTWARE,
    "budget": _BUDGET,
    "launch": _LAUNCH,
    "research": _RESEARCH,
}  # a word that names two kinds goes to the first
