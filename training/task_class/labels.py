"""Which task class the prompts of each public set have.

The rule in one line a class, decided before any model was trained:

code            write, change, explain, query or debug programs, configuration of programs, SQL, regexes
math            calculate, solve or prove, word problems included
extraction      take facts, entities, fields or topics out of a given text
summarization   shorten a given text; titles and headlines for it included
translation     from one human language to another
qa              one question, answered from knowledge or from a passage; explanations and how-to
reasoning       several steps of thought: logic, puzzles, cause and effect, plans, estimates, analogies
creative        invent text: stories, mails, speeches, posts, ideas, role play
chat            conversation: greetings, feelings, opinions, personal advice, recommendations
classification  choose a label: sentiment, topic, yes or no about a given text, same meaning or not
tools           the caller offers tools and wants one used; no public set here has such prompts

A prompt whose class would be a matter of taste (question generation, paraphrase, ranking …) has no
label and is used nowhere.
"""

import re

# Merged to five for the second evaluation, decided before any result was seen.
FIVE = {
    "code": "code",
    "math": "thinking", "reasoning": "thinking",
    "extraction": "text", "summarization": "text", "translation": "text", "classification": "text",
    "qa": "qa",
    "creative": "talk", "chat": "talk",
    "tools": "tools",
}  # fmt: skip

# Template names, first match wins; None is a template left out.
T0 = [
    (r"generate_paraphrase|mrpc_generate_sentence|paws_.*paraphrase_task", None),
    (r"generate_question|Generate_Question|Jeopardy|question_from_the_answer|answer_to_question$", None),
    (r"social_i_qa_Generate_the_question|wiki_hop_.*(generate|explain)|wiki_bio_(who|guess)", None),
    (r"duorc_.*title_generation|quoref_Guess_Title", "summarization"),
    (r"generate_story|spice_up|expand_reverse|reverse_writing|write_an_article$", "creative"),
    (r"generate_review|build_story|dream_(answer_to|generate)|Write_a_dialogue", "creative"),
    (r"common_gen_(sentence_to_concepts|topics_from)", "extraction"),
    (r"common_gen", "creative"),
    (r"cnn_dailymail_3_0_0_news_stock|what_are_the_key_points", "summarization"),
    (r"cnn_dailymail|multi_news|xsum|samsum|gigaword", "summarization"),
    (r"wiki_bio|quoref_Read_And_Extract|duorc_.*extract_answer|adversarial_qa_.*_based_on", "extraction"),
    (r"ag_news|amazon|app_reviews|dbpedia|glue|imdb|paws|rotten|trec|yelp", "classification"),
    (r"wiki_qa_(Decide|Is_This|Topic|automatic|exercise|found)|is_correct|random_answer_is_valid", "classification"),
    (r"quarel|ropes|wiqa", "reasoning"),
    (r"adversarial|commonsense|cosmos|dream|duorc|hotpot|qasc|quartz|quoref|sciq|social|wiki", "qa"),
]

BIG_BENCH_HARD = {
    "boolean_expressions": "reasoning",
    "causal_judgement": "reasoning",
    "date_understanding": "reasoning",
    "disambiguation_qa": "reasoning",
    "dyck_languages": "reasoning",
    "formal_fallacies": "reasoning",
    "geometric_shapes": "reasoning",
    "hyperbaton": "classification",
    "logical_deduction_five_objects": "reasoning",
    "logical_deduction_seven_objects": "reasoning",
    "logical_deduction_three_objects": "reasoning",
    "movie_recommendation": "chat",
    "multistep_arithmetic_two": "math",
    "navigate": "reasoning",
    "object_counting": "math",
    "penguins_in_a_table": "reasoning",
    "reasoning_about_colored_objects": "reasoning",
    "ruin_names": "classification",
    "salient_translation_error_detection": "classification",
    "snarks": "classification",
    "sports_understanding": "classification",
    "temporal_sequences": "reasoning",
    "tracking_shuffled_objects_five_objects": "reasoning",
    "tracking_shuffled_objects_seven_objects": "reasoning",
    "tracking_shuffled_objects_three_objects": "reasoning",
    "web_of_lies": "reasoning",
    "word_sorting": "reasoning",
}

LLMROUTER = {
    "natural_qa": "qa",
    "trivia_qa": "qa",
    "mmlu": "qa",
    "arc_challenge": "qa",
    "commonsense_qa": "qa",
    "gpqa": "reasoning",
    "agentverse-logicgrid": "reasoning",
    "gsm8k": "math",
    "math": "math",
    "agentverse-mgsm": "math",
    "mbpp": "code",
    "human_eval": "code",
    "commongen": "creative",
}

VICUNA = {
    "generic": "qa",
    "knowledge": "qa",
    "common-sense": "qa",
    "fermi": "reasoning",
    "counterfactual": "reasoning",
    "coding": "code",
    "math": "math",
    "roleplay": "creative",
    "writing": "creative",
}

# Lines of the file, from 0; those not named have no label.
SELF_INSTRUCT = {
    "code": [28, 31, 37, 41, 50, 61, 69, 72, 138, 139, 140, 141],
    "math": [21, 22, 25, 35, 45, 58, 83, 109, 110, 136, 144],
    "extraction": [13, 26, 39, 43, 53, 67, 85, 135],
    "summarization": [4, 62, 64, 75, 137],
    "translation": [101, 117],
    "qa": [7, 12, 16, 19, 32, 48, 54, 60, 82, 88, 95, 102, 103, 107, 111, 115, 118, 120, 131, 142, 143, 161],
    "reasoning": [1, 15, 106, 132, 155, 164],
    "creative": [
        2, 3, 6, 18, 20, 29, 33, 42, 44, 46, 47, 49, 55, 56, 57, 59, 63, 74, 76, 79, 80, 84, 86, 87, 89, 93,
        96, 100, 112, 116, 119, 123, 124, 125, 129,
    ],
    "chat": [0, 9, 10, 27, 34, 40, 68, 73, 81, 104, 105, 127, 133],
    "classification": [
        92, 94, 114, 148, 149, 150, 151, 152, 153, 154, 156, 157, 158, 159, 160, 165, 166, 167, 168, 169,
        171, 172, 173, 174,
    ],
}  # fmt: skip

# RouteLLM's outcomes: what the two benchmarks ask for.
ROUTELLM = {"routellm-gsm8k": "math", "routellm-mmlu": "qa"}

# MMLU's subjects that ask for calculation or for several steps rather than for knowledge.
MMLU_MATH = re.compile(r"math|algebra|statistics")

# BIG-bench's tasks, first match wins; those not named have no label, and what BIG-bench Hard took from it
# is not used at all.
BIG_BENCH = [
    ("classification", r"analytic_entail|anachronisms|authorship|crash_blossom|dark_humor|discourse_marker|emojis_emotion|"
     r"empirical_judg|entailed_polarity|fact_checker|figure_of_speech|hinglish|identify_odd|implicatures|intent_recog|"
     r"international_phonetic_alphabet_nli|irony|language_identif|metaphor_boolean|misconceptions|moral_permiss|"
     r"movie_dialog|multiemo|phrase_related|play_dialog|presuppositions|social_support|suicide|vitaminc|real_or_fake|"
     r"sentence_ambiguity|what_is_the_tao|subtask(018|019|021|022|046|050|056|057)"),
    ("reasoning", r"analogical|codenames|crass|cryptonite|evaluating_information|fantasy|key_value|list_functions|"
     r"logic_grid|logical_(args|fallacy|sequence)|mathematical_induction|minute_myst|novel_concepts|odd_one|"
     r"physical_intuition|riddle|similarities|strategyqa|strange_stories|sufficient_info|symbol_interp|undo_perm|"
     r"word_unscramb|common_morpheme|linguistics_puzzles|repeat_copy|checkmate|chess|cs_algo|auto_categ|winowhy|"
     r"goal_step|epistemic|subtask(033|061)"),
    ("math", r"^arithmetic|chinese_rem|elementary_math|matrixshapes|modified_arith|operators|physics_questions|"
     r"simple_arith|unit_conversion|intersect_geometry"),
    ("code", r"auto_debugging|code_line|semantic_parsing"),
    ("qa", r"contextual_param|cryobiology|disfl_qa|general_knowledge|gre_reading|hindi_question|hindu_knowledge|"
     r"human_organs|kannada|known_unknowns|parsinlu|periodic|physics$|qa_wikidata|bbq|social_iqa|"
     r"subtask(002|004|007|010|013|016|024|028|041|043|047|051|054|058)"),
    ("extraction", r"bridging_anaphora|subtask(020|039|044)"),
    ("summarization", r"gem/(mlsum|wikilingua|xsum)|scientific_press"),
    ("translation", r"conlang_translation|(russian|swahili_english|german)_proverbs"),
    ("creative", r"gem/common_gen|subtask059"),
    ("chat", r"topical_chat"),
]  # fmt: skip
# Tasks made of many unlike subtasks.
MANY = ("natural_instructions", "gem")


def t0(template: str) -> str | None:
    """The class of a T0 template."""
    for pattern, label in T0:
        if re.search(pattern, template):
            return label
    return None


def self_instruct(line: int) -> str | None:
    """The class of a line of the self-instruct seed."""
    return next((label for label, lines in SELF_INSTRUCT.items() if line in lines), None)


def big_bench(task: str) -> str | None:
    """The class of a BIG-bench task."""
    return next((label for label, pattern in BIG_BENCH if re.search(pattern, task)), None)
