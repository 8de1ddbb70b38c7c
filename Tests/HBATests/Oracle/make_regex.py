#!/usr/bin/env python3
"""Asks PostgreSQL what regular expressions match, and writes the answers to regex.jsonl.

Each line: {"p": EXPRESSION, "error": MESSAGE}, or {"p": EXPRESSION, "t": {TEXT: false | null | GROUP}}: no match, a
match without the first group, or what the first group matched.
"""

import json
import random
from pathlib import Path

from cluster import Cluster

# What is a line here decides which expressions are made of it: they stay as they are, however long.
HAND = r"""
a|^a$|^$|a|b|^(a|b)c$|(a|ab)(c|bcd)?|(a|ab)(bcd|c)|(a+)(a+)|(a+?)(a+)|(a*?)(a*)|(a+?)(a+?)|a+?(a+)|(a+)+|(a+)+b|(ab?)+
(ab?){2}|(ab?){2,3}|(ab?){1,}?|(a|ab){2}|(a?)b|(a)?b|(a)??b|(a??)b|x(a)?|x?(a+)|x*?(a+)|(?:a|ab)(b*)|(?:a|ab)?(b*)|a?(?:ab)?(.*)
((a)(b))|(a(b))|((a|b)+)c|(.*)@(.*)|^(.*)@example\.com$|^([^@]+)@example\.com$|^(.+?)@(.+)$|(.+?)@|(.+)@|^(\w+)\\|^.*/([^/]+)$
(a){0}b|(a){0,0}(b)|((a){0}b)|(a){1}|(a){1,1}|(a+?){1,1}|(a+?){1}|(a{2}){2}|a{2}|a{2,}|a{1,2}|^a{2,3}$|a{0}|x{0,2}y|(a|b|ab|ba)+?$
()|(|a)b|(a|)b|a||b|(a*)(ab)*(b*)|(a*?)(ab)*?(b*)|(ab|a)(bc|c)?|^(a|ab)(bc)?$|(b*)(a*)|((a*)b)|(a{1,2}?)(a*)|(a{1,2})(a*?)
.|..|^.$|[a-c]|[^a-c]|[]a]|[^]a]|[a-]|[-a]|[a\-c]|[\]]|[[]|[a[]|[[:alpha:]]|[^[:alpha:]]|[[:alpha:][:digit:]_]+|[[:<:]]a|a[[:>:]]
[\d]|[^\d]|[\w-]|[\s]|[\D]|[\S]+|[\W]|[a\D]|[[:word:]]+|[[:ascii:]]|[[:punct:]]|[[:space:]]|[[:blank:]]|[[:cntrl:]]|[[:graph:]]|[[:print:]]|[[:xdigit:]]+
[[:upper:]]|[[:lower:]]|[[:alnum:]]+|[[:digit:]]{2}|[[:foo:]]|[[:alpha:]-z]|[a-[:digit:]]|[c-a]|[a-c-e]|[a-a]|[|[a|[]|[^]|[]|[a-|[a-c
\d|\D|\w+|\W|\s|\S+|^\d+$|\ma|a\M|\ya|a\y|\Ya|a\Y|\m|\M|\y|\Y|\Aa|a\Z|\A\Z|^\w+$|\y\w+\y|\m\w+\M
\x61|\x0061|\u0061|\U00000061|\u61|\U0061|\x|\e|\t|\n|\a|\b|\B|\cA|\f|\r|\v|\0|\060|\06|\q|\z|\h|\-|\.|\\|\/|\@|\é
*a|+a|?a|a**|a*+|a+*|a??|a???|(*a)|(+a)|a|*b|^*|$*|\y*|(^)*a|(^a)*|(^)?a|{2}a|a{|a{b|a{,2}|a{2|a{2,|a{2,1}|a{256}|a{255,256}|a{1,b}|a{1b}|}|a}|{|{a
(|)|a)|(a|((a)|(?:a)|(?:a)(b)|(?:(a)b)|(?a)|(?)|(?:)|(?|(?i)AB|(?i)[a-b]+|(?i)[[:upper:]]+|(?i)É|(?c)AB|(?s)a.b|(?t)a|(?i)\x41|a(?i)b|(?#c)a(b)|a(?#c|a(?#x)*
***=a.b|***=(a)|***:a+|***:(?i)AB|***a|***|(?i)(a|B)c|(?i)[^a]|(?is)AB|a\nb|é|[é-ü]|[^é]|.é|^.{2}$|\u00e9|caf.|(?i)k|(?i)[k]|^[[:alpha:]]+$|^\w+$
^oncall_|_(ro|rw)$|^app_[0-9]+$|^(prod|stage)_(.*)$|^[^@]*$|a.*b|a.*?b|(a.*?b)|(a.*b)|^(.*?)(b*)$|^(.*)(b*)$|^(.{2})(.*)$|^(.{1,2})(.*)$|^(.{1,2}?)(.*)$
(a+|b+)(b+|a+)|((a+)(b+))?c|x(a|b)?y|x(a|b){1,2}y|(a|b){1,2}?b|(a+b?){2}|(?:x(a))?b|(?:x(a)|b)|(?:b|x(a))|(?:(a)|(b))|(?:a*|(b))c|(?:a*?|(ab))c
(a*)+|(a*)*b|(a?)+b|(a|b*)+c|(a*){2}|(a*){2,3}b|(a|)+b|(^|x)a|(a|$)b|a($|b)|(\ya)|(\w+)\M.*|(?:a+?b*)(b)|(?:a+b*?)(b*)|(?:a+?b*)(b*)c|(a+?b*)(b*)|(a+b*?)(b*)
""".strip().split("\n")

TEXTS = [
    "", "a", "b", "ab", "abc", "abcd", "aab", "aaa", "aaaa", "abab", "abb", "ba", "bab", "xab", "xay", "xby", "xaby",
    "c", "aac", "A", "AB", "a.b", "a-b", "a]", "[", "^", "a b", " a", "a ", "a_b", "12", "a1", "alice@example.com",
    "a@b@c", "@", "app_12", "prod_web_rw", "dom\\bob", "/x/y", "é", "café", "a\nb", "É", "k", "{", "a{", "a{b",
    "a{,2}", "}", "(a)", "q", "0", "-", ".", "\\", "/", "\t", "Kk", "ü", "abba", "zz",
]


def generated(random_source, depth=3):
    """An expression that is nearly always correct."""
    pick = random_source.choice
    if depth == 0:
        return pick(["a", "b", "c", ".", "[ab]", "[^a]", "a", "b", r"\w", "^", "$", r"\y", r"\m", "ab", "(?:ab)", "x"])
    branches = []
    for _ in range(random_source.choice([1, 1, 1, 2, 2, 3])):
        pieces = []
        for _ in range(random_source.choice([1, 1, 2, 2, 3])):
            kind = random_source.random()
            if kind < 0.45:
                atom = "(" + generated(random_source, depth - 1) + ")"
            elif kind < 0.55:
                atom = "(?:" + generated(random_source, depth - 1) + ")"
            else:
                atom = generated(random_source, 0)
            if atom not in ("^", "$", r"\y", r"\m", "ab"):
                atom += pick(
                    ["", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,1}", "{1,}?", "{1,2}?"]
                )
            pieces.append(atom)
        branches.append("".join(pieces))
    return "|".join(branches)


FUNCTION = """
create table asked (p jsonb);
create function ask(pattern text, texts jsonb) returns jsonb language plpgsql as $$
begin
    perform '' ~ (pattern collate "C");
    return (select jsonb_object_agg(t, case when t ~ (pattern collate "C")
                then to_jsonb(substring(t from (pattern collate "C"))) else 'false' end)
            from jsonb_array_elements_text(texts) t);
exception when invalid_regular_expression then
    return to_jsonb(sqlerrm);
end $$;
"""


def main():
    source = random.Random(16)
    patterns = []
    for line in HAND:
        # Written with bars between them; one that holds a bar is split as well, which makes no worse an expression.
        patterns += [line] + line.split("|")
    words = ["a|b", "(a|ab)(c|bcd)?", "(a|ab)(bcd|c)", "(a|b)c", "(?:a|ab)(b*)", "(?:x(a)|b)", "(?:b|x(a))",
             "(?:(a)|(b))", "(?:a*?|(ab))c", "(?:a*|(b))c", "(a|b|ab|ba)+?$", "x(a|b){1,2}y", "(a|b){1,2}?b",
             "(a|b*)+c", "(a|)+b", "(|a)b", "a||b", "(^|x)a", "(a|$)b", "^(prod|stage)_(.*)$", "_(ro|rw)$",
             "(?i)(a|B)c", "(a|ab){2}", "((a|b)+)c", "^(a|ab)(bc)?$",
             "(ab|a)(bc|c)?", "(a+|b+)(b+|a+)", "(?:a|ab)?(b*)"]
    patterns += words + [generated(source) for _ in range(700)]
    patterns = [p for p in dict.fromkeys(patterns) if len(p) < 80]
    with Cluster() as cluster:
        cluster.psql(FUNCTION)
        lines = []
        for index, pattern in enumerate(patterns):
            texts = TEXTS if index < 620 and "(" not in pattern else TEXTS[:20] + source.sample(TEXTS[20:], 8)
            lines.append(json.dumps({"p": pattern, "t": texts}).replace("\\", "\\\\"))
        answers = cluster.psql(
            "copy asked from stdin;\n" + "\n".join(lines) + "\n\\.\n"
            "select jsonb_build_object('p', p->>'p', 'r', ask(p->>'p', p->'t')) from asked;"
        )
    with open(Path(__file__).with_name("regex.jsonl"), "w") as file:
        for answer in map(json.loads, answers):
            if "too complex" in str(answer["r"]):
                continue  # A limit of PostgreSQL's engine, not of the syntax.
            key = "error" if isinstance(answer["r"], str) else "t"
            result = {"p": answer["p"], key: answer["r"]}
            file.write(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(len(answers), "expressions")


if __name__ == "__main__":
    main()
