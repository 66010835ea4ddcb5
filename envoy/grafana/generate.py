#!/usr/bin/env python3
"""Writes neural-router.json, the dashboard for Grafana, from the table below.

    python3 envoy/grafana/generate.py

The tests run every query of this table against a Prometheus that scrapes the demo under load, and compare the file
with what this writes. Durations are microseconds where they are counted (docs/metrics.md), and seconds here.
"""

import json
import re
from pathlib import Path

FILE = Path(__file__).with_name("neural-router.json")

# Label values that a viewer can choose, and where they come from.
VARIABLES = {"workspace": "nr_calls_total", "provider": "nr_attempts_total", "model": "nr_attempts_total"}

WHERE = 'workspace=~"$workspace",provider=~"$provider|none",model=~"$model|none"'
ASKED = 'provider=~"$provider",model=~"$model"'
ANSWERED = 'gen_ai_provider_name=~"$provider",gen_ai_response_model=~"$model"'


def per_second(metric: str, where: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def seconds(quantile: float, metric: str, by: str = "") -> str:
    labels = ", ".join(["le", by] if by else ["le"])
    return f"histogram_quantile({quantile}, {per_second(f'{metric}_bucket', ANSWERED, labels)}) / 1e6"


def share(part: str, whole: str) -> str:
    return f"{part} / on () group_left () sum(rate({whole}[$__rate_interval]))"


# Row -> panels: title, what it says, unit, and queries with their legends.
ROWS = {
    "Calls": [
        ("Calls by outcome", "Every call that has ended, once.", "reqps",
         [(per_second("nr_calls_total", WHERE, "outcome"), "{{outcome}}")]),
        ("Share of calls by whose fault", "Of all calls, those that went wrong, by whose doing it was.", "percentunit",
         [(share(per_second("nr_calls_total", WHERE + ',fault!="none"', "fault"), f"nr_calls_total{{{WHERE}}}"), "{{fault}}")]),
        ("Calls by workspace", "Who calls.", "reqps", [(per_second("nr_calls_total", WHERE, "workspace"), "{{workspace}}")]),
        ("Answered by", "Which model at which provider.", "reqps",
         [(per_second("nr_calls_total", WHERE + ',outcome="ok"', "model, provider"), "{{model}} at {{provider}}")]),
    ],
    "Time": [
        ("Whole calls", "From the decision to the last byte, failed attempts included.", "s",
         [(seconds(0.5, "gen_ai_server_request_duration"), "median"), (seconds(0.95, "gen_ai_server_request_duration"), "p95"),
          (seconds(0.99, "gen_ai_server_request_duration"), "p99")]),
        ("Time to first token, p95", "Of streams, from the beginning of the attempt that answered.", "s",
         [(seconds(0.95, "gen_ai_server_time_to_first_token", "gen_ai_response_model, gen_ai_provider_name"),
           "{{gen_ai_response_model}} at {{gen_ai_provider_name}}")]),
        ("Time per output token, median", "Of streams, after the first token.", "s",
         [(seconds(0.5, "gen_ai_server_time_per_output_token", "gen_ai_response_model, gen_ai_provider_name"),
           "{{gen_ai_response_model}} at {{gen_ai_provider_name}}")]),
        ("Time to decide", "What the gateway itself thinks about: parsing, content rules, ranking, limits.", "s",
         [("histogram_quantile(0.5, sum by (le) (rate(nr_decision_duration_bucket[$__rate_interval]))) / 1e6", "median"),
          ("histogram_quantile(0.99, sum by (le) (rate(nr_decision_duration_bucket[$__rate_interval]))) / 1e6", "p99")]),
    ],
    "Tokens and money": [
        ("Tokens by type", "cached_input is a part of input.", "short",
         [(per_second("gen_ai_client_token_usage_sum", 'workspace=~"$workspace",' + ANSWERED, "gen_ai_token_type"),
           "{{gen_ai_token_type}}")]),
        ("Cost an hour", "At the prices of the configuration.", "currencyUSD",
         [(f"sum by (workspace) (rate(nr_cost_nano_usd_total{{workspace=~\"$workspace\",{ASKED}}}[$__rate_interval])) * 3600 / 1e9",
           "{{workspace}}")]),
        ("Cost an hour by model", "", "currencyUSD",
         [(f"sum by (model) (rate(nr_cost_nano_usd_total{{workspace=~\"$workspace\",{ASKED}}}[$__rate_interval])) * 3600 / 1e9",
           "{{model}}")]),
        ("Budget left", "Share of the period's budget. Each Envoy counts for itself: the least counts.", "percentunit",
         [('min by (workspace) (nr_budget_remaining_nano_usd{workspace=~"$workspace"} / nr_budget_nano_usd{workspace=~"$workspace"})',
           "{{workspace}}")]),
        ("Limits left", "Requests and tokens that may be used at once.", "short",
         [('min by (workspace, limit) (nr_limit_remaining{workspace=~"$workspace"})', "{{workspace}}: {{limit}}")]),
    ],
    "Providers": [
        ("Attempts by outcome", "", "reqps", [(per_second("nr_attempts_total", ASKED, "provider, outcome"), "{{provider}}: {{outcome}}")]),
        ("Failovers by cause", "Attempts begun because another had failed.", "reqps",
         [(per_second("nr_failovers_total", 'provider=~"$provider"', "provider, cause"), "{{provider}}: {{cause}}")]),
        ("Left alone", "Deployments that cool down now.", "bool", [(f"max by (model, provider) (nr_cooling{{{ASKED}}})", "{{model}} at {{provider}}")]),
        ("Cool-downs begun", "In the last hour.", "short",
         [(f"sum by (model, provider) (increase(nr_cool_downs_total{{{ASKED}}}[1h]))", "{{model}} at {{provider}}")]),
    ],
    "Decisions and rules": [
        ("Kinds of work", "What callers ask for, as far as the filter can tell.", "reqps",
         [(per_second("nr_decisions_total", 'model=~"$model"', "task_class"), "{{task_class}}")]),
        ("First choice by objective", "", "reqps", [(per_second("nr_decisions_total", 'model=~"$model"', "objective, model"), "{{objective}}: {{model}}")]),
        ("Guardrail hits", "Calls blocked, and places redacted.", "short",
         [(per_second("nr_guardrail_hits_total", 'workspace=~"$workspace"', "workspace, rule, action"), "{{workspace}}: {{rule}}, {{action}}")]),
        ("Reloads of the filter", "Each is a trap: streams of one worker were torn.", "short",
         [("sum(envoy_wasm_neural_router_router_vm_reload_success)", "router seat"),
          ("sum(envoy_wasm_neural_router_provider_vm_reload_success)", "provider seat")]),
    ],
}


def queries() -> list[str]:
    """Every query of the dashboard."""
    return [expr for panels in ROWS.values() for _, _, _, targets in panels for expr, _ in targets]


def variable(name: str, metric: str) -> dict:
    return {
        "name": name, "label": name, "type": "query", "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "query": {"query": f"label_values({metric}, {name})", "refId": name}, "definition": f"label_values({metric}, {name})",
        "includeAll": True, "multi": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}, "refresh": 2, "sort": 1,
    }


def panel(number: int, place: dict, title: str, says: str, unit: str, targets: list) -> dict:
    return {
        "id": number, "type": "timeseries", "title": title, "description": says, "gridPos": place,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [
            {"refId": chr(ord("A") + at), "expr": expr, "legendFormat": legend, "datasource": {"type": "prometheus", "uid": "${datasource}"}}
            for at, (expr, legend) in enumerate(targets)
        ],
    }


def lines(members: list) -> list[list]:
    """The panels of a row in lines of two or three, which fill the width."""
    size = 2 if len(members) == 4 else 3
    return [members[at:at + size] for at in range(0, len(members), size)]


def dashboard() -> dict:
    panels, number, y = [], 0, 0
    for row, members in ROWS.items():
        number += 1
        panels.append({"id": number, "type": "row", "title": row, "collapsed": False, "panels": [], "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}})
        y += 1
        for line in lines(members):
            width = 24 // len(line)
            for at, member in enumerate(line):
                number += 1
                panels.append(panel(number, {"h": 8, "w": width, "x": at * width, "y": y}, *member))
            y += 8
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "current": {}}
    return {
        "uid": "neural-router", "title": "Neural Router", "tags": ["neural-router"], "schemaVersion": 39, "version": 1, "editable": True,
        "time": {"from": "now-1h", "to": "now"}, "refresh": "30s", "timezone": "", "annotations": {"list": []},
        "templating": {"list": [source, *(variable(name, metric) for name, metric in VARIABLES.items())]},
        "panels": panels,
    }


def text() -> str:
    """The file."""
    return json.dumps(dashboard(), indent=1, sort_keys=False) + "\n"


def chosen(expr: str, window: str) -> str:
    """A query as Grafana would send it with everything chosen."""
    return re.sub(r"\$(workspace|provider|model)", ".*", expr.replace("$__rate_interval", window))


if __name__ == "__main__":
    FILE.write_text(text())
