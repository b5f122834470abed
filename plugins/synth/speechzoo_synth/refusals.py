"""What is not for a voice: named things that make a text code, a formula, a table or an address."""

from speechzoo_synth.rules import Refusal, refusal

MATHEMATICAL = r"[=×÷√≤≥^]|\s\+\s"
"""Signs that make a dash in the same line a minus."""

_FUNCTIONS = (
    "sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|sinh|cosh|tanh|log|ln|exp|sqrt|gcd|lcm|det|lim|max|min"
)
_ENDINGS = r"s|es|ies|ren|d|ed|ing|r|er|n|al|y|ly|ally|-[a-z-]+|[IVX]+|[12][0-9]{3}"
_COMMANDS = (
    "ls|rm|cp|mv|cat|grep|git|pip|sudo|chmod|docker|curl|python3?|npm|bash|ssh|tar|find|awk|sed|head|tail"
)

_ADDRESS = "nobody says an address, and no voice spells one well"
_LAYOUT = "what stands in columns is lost in a row"
_NOTATION = "its structure is lost when it is read from left to right"
_AMBIGUOUS = "nobody can tell what it means here, and to drop it changes the question"
_CODE = "its brackets, layout and names have no sound"

REFUSALS: tuple[Refusal, ...] = (
    refusal("URL", "link", _ADDRESS, r"\b(?:https?|ftp)://|\bwww\.\w|\b\w+\.(?:com|org|net|edu|gov)/\w"),
    refusal("e-mail address", "e-mail address", _ADDRESS, r"[\w.+-]+@[\w-]+\.\w"),
    refusal("table", "columns between bars", _LAYOUT, r"^[^\n|]*\|[^\n|]*\|.*\n.*\|[^\n|]*\|"),
    refusal("table", "columns between tabs", _LAYOUT, r"^[^\n\t]*\t[^\n\t]+\t.*\n.*\t.*\t"),
    refusal("formula", "LaTeX", _NOTATION, r"\\[a-zA-Z]+|\\[()\[\]{}]|\$\$|[_^]\{"),
    # As in Markdown with mathematics: no space within the signs, no digit after them, so no two prices.
    refusal("formula", "between dollars", _NOTATION, r"\$(?=\S)[^$\n]*[\\^_{}=+*/<>-][^$\n]*(?<=\S)\$(?!\d)"),
    refusal("formula", "a name between dollars", _NOTATION, r"\$[\w.,]+\$(?!\d)|\$ [^$\n]*[\\^{}][^$\n]* \$"),
    refusal("formula", "f(x)", _NOTATION, r"\b(?![aA]\(n\))[a-zA-Z]'*\((?!s\))"),
    refusal("formula", "named function", _NOTATION, rf"\b(?:{_FUNCTIONS})\("),
    refusal(
        "formula",
        "product of brackets, but Section 5(b)",
        _NOTATION,
        r"(?<!ection )(?<!rticle )(?<!ule )(?<!uestion )(?<![0-9.])[0-9][0-9.]*\((?!s\))"
        r"|\)\((?=[^()]*[-+*/0-9])",
    ),
    refusal(
        "formula", "chemical group", _NOTATION, r"\b(?:[A-Z][a-z]?[0-9]*)+\((?:[A-Z][a-z]?[0-9]*)+\)[0-9]"
    ),
    refusal("formula", "power of a name", _NOTATION, r"[a-zA-Z)]\^"),
    refusal("formula", "absolute value", _NOTATION, r"(?<!\|)\|[^|\n]{1,20}\|(?!\|)"),
    refusal("formula", "sign of sets or analysis", _NOTATION, r"[∑∏∫∂∇∈∉∀∃⊂⊆∪∩∧∨¬⟨⟩]|[^\W\d][′″]"),
    refusal("formula", "minus before a bracket", _NOTATION, r"(?<![\w)\]])[-−]\("),
    refusal(
        "formula",
        "factorial, or a shout",
        _AMBIGUOUS,
        r"(?<![\w.,#$€£¥₹%'-])(?<!o\. )(?:[0-9]{1,3}|[b-hj-z])!|\(\s*\w{1,3}\s*[-+*/]\s*\w{1,3}\s*\)!",
    ),
    refusal(
        "formula",
        "minus, or an ending such as -s",
        _AMBIGUOUS,
        rf"^(?!.*(?:{MATHEMATICAL})).*(?<![\w)\]%'\"-])[-−–][a-z](?!\w|['-])",
    ),
    refusal(
        "formula",
        "minus between a letter and a number, or a pause",
        _AMBIGUOUS,
        rf"^(?!.*(?:{MATHEMATICAL})).*"
        r"(?:(?<=\S )[A-Z]\s+[-−–]\s+[0-9]|[0-9]\s+[-−–]\s+[A-Z](?!\w|['.-]| [a-z]{2}))",
    ),
    refusal("code", "fence", _CODE, r"```|~~~"),
    refusal("code", "tag", _CODE, r"</?[a-zA-Z][\w-]*(?:\s+[\w-]+=[^<>\n]*)?\s*/?>|<!--"),
    refusal(
        "code",
        "definition",
        _CODE,
        r"^\s*(?:(?:public|private|static|async|export)\s+)*(?:def|class|function|fn)\s+\w+\s*[({:]",
    ),
    refusal("code", "call", _CODE, rf"\b[A-Za-z_]\w+\((?!(?:{_ENDINGS})\))"),
    # Paris[1] is a citation.
    refusal(
        "code",
        "element",
        _CODE,
        r"\b[A-Za-z_]\w+\[(?!(?:[1-9][\d, –-]*|sic)\])[\w:'\"]*\]|\b[A-Za-z]\[[\w:'\"]+\]",
    ),
    refusal(
        "code",
        "statement",
        _CODE,
        r"^\s*(?:import [\w.]+(?: as \w+)?;?|from [\w.]+ import .*|#include .*|return [\w.]+;)$",
    ),
    refusal("code", "block", _CODE, r"\{\s*$|^\s*\}|\{\s*[\"']\w+[\"']\s*:"),
    refusal("code", "operator", _CODE, r"(?<!=)={2,3}(?!=)|!=|=>|::|&&|\|\||\w->\w|\w [-+*/]= ?\w"),
    refusal("code", "name_of_words", _CODE, r"\b[a-z]+_[a-z0-9][a-z0-9_]*\b|(?<!\w)__[a-z]+__(?!\w)"),
    refusal("code", "lambda", _CODE, r"\blambda \w+(?:, ?\w+)*:"),
    refusal("code", "query", _CODE, r"\bSELECT\b[^\n]+\bFROM\b|\b(?:INSERT INTO|DELETE FROM|CREATE TABLE)\b"),
    refusal("code", "command", _CODE, rf"\b(?:{_COMMANDS}) -{{1,2}}[a-z]|[a-z] \| [a-z]+\b"),
    refusal("code", "settings of a command", _CODE, r" -{1,2}[a-z][^\n]* -{1,2}[a-z]"),
)
