//! What decisions are made on: chat requests whose texts together have a given size, of every kind that task
//! inference tells apart by other means: words, code, digits, structure, letters beyond ASCII, turns.

use serde_json::{Value, json};

/// A kind of text. It is repeated until it is long enough.
type Kind = (&'static str, &'static str);

const PROSE: Kind = (
    "prose",
    "Please summarise the following letter in three sentences. Dear Ms Hartley, thank you for visiting our workshop last \
     Thursday; the restoration of the walnut cabinet is coming along well, though the left door had warped more than we \
     thought and will need another two weeks under the clamps. We found an old \"maker's mark\" below the varnish, which \
     suggests that it was built in Bristol around 1840.\n\nWould you like us to keep the original hinges, even though one is \
     cracked? They could be welded, but it would show. ",
);

const CODE: Kind = (
    "code",
    "Why does this function return None for the last row?\n\n```python\ndef totals(rows, key=\"region\"):\n    out = {}\n    \
     for i, row in enumerate(rows[:-1]):\n        out.setdefault(row[key], []).append(float(row['amount']) * 1.2)\n        \
     if out[row[key]] == []:\n            raise KeyError(f\"{key!r} at {i}\")\n    return {k: sum(v) for k, v in \
     out.items() if v}\n```\n\nIt used to work before the commit `a81f0c3`; pytest says `TypeError: 'NoneType' object is not \
     subscriptable`. ",
);

const MATHS: Kind = (
    "maths",
    "Let $f(x) = \\frac{x^3 - 4x}{x^2 + 1}$ for x >= 0. Prove that f has exactly one minimum on [0, 2], find it to four \
     decimals, and compute \\int_0^2 f(x) dx. A train leaves at 09:40 with 312 passengers; at each of 7 stops 1/6 of them get \
     off and 25 get on. How many are left at the end, and how many tickets at 4.80 were sold if 18% travel free? Show every \
     step: 312 - 52 + 25 = 285, … ",
);

const JSON: Kind = (
    "json",
    "Extract name, sku and price of every item as JSON:\n{\"order\": {\"id\": \"A-20931\", \"placed\": \
     \"2024-11-03T09:12:44Z\", \"items\": [{\"sku\": \"KX-114\", \"title\": \"Desk lamp, brass\", \"qty\": 2, \"price\": \
     {\"amount\": 39.9, \"currency\": \"EUR\"}}, {\"sku\": \"KX-530\", \"title\": \"Bulb E27\", \"qty\": 6, \"price\": \
     {\"amount\": 4.25, \"currency\": \"EUR\"}, \"tags\": [\"warm\", null, true]}], \"ship_to\": {\"zip\": \"10115\", \
     \"city\": \"Berlin\"}}}\n",
);

const OTHER: Kind = (
    "other_languages",
    "Переведите, пожалуйста, на английский: Вчера вечером мы долго гуляли вдоль реки, и старый рыбак рассказал нам, как зимой \
     1979 года лёд унёс половину пристани. 请把下面这段话翻译成英文:他每天早上六点起床,先去公园散步,然后回家给孙女做早饭。\
     これは来週の会議の議事録です。要点を三つにまとめてください。 Übersetze „Straßenbahnhaltestelle“ und erkläre, warum man es so schreibt. ",
);

/// Of a conversation under way, where it began counts too.
const TURNS: &str = "conversation";

/// All kinds, in the order of [`requests`].
pub(crate) const KINDS: [&str; 6] = [PROSE.0, CODE.0, MATHS.0, JSON.0, OTHER.0, TURNS];

/// One request of each kind whose messages have so many bytes of text together.
pub(crate) fn requests(bytes: usize) -> Vec<String> {
    let system = "You are a careful assistant. Answer briefly, and say when you are not sure.";
    let bytes = bytes - system.len();
    let one = |(_, text): Kind| vec![json!({"role": "user", "content": repeated(text, bytes)})];
    let turns = |turn: usize| {
        let (role, (_, text)) = if turn.is_multiple_of(2) { ("user", CODE) } else { ("assistant", PROSE) };
        json!({"role": role, "content": repeated(text, bytes / 5)})
    };
    let all = [PROSE, CODE, MATHS, JSON, OTHER].map(one).into_iter().chain([(0..5).map(turns).collect()]);
    let request = |messages: Vec<Value>| {
        let messages: Vec<Value> = [json!({"role": "system", "content": system})].into_iter().chain(messages).collect();
        json!({"messages": messages, "model": "auto", "temperature": 0.2}).to_string()
    };
    all.map(request).collect()
}

/// As much of a text, over and over, as fits.
fn repeated(text: &str, bytes: usize) -> String {
    let mut out = String::with_capacity(bytes);
    for letter in text.chars().cycle() {
        if out.len() + letter.len_utf8() > bytes {
            return out;
        }
        out.push(letter);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_line_each_with_as_much_text_as_asked_for() {
        for bytes in [1 << 10, 8 << 10] {
            let requests = requests(bytes);
            assert_eq!(requests.len(), KINDS.len());
            for (request, kind) in requests.iter().zip(KINDS) {
                assert!(!request.contains('\n'), "{kind}");
                let value: Value = serde_json::from_str(request).unwrap();
                let texts = value["messages"].as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap().len());
                let total: usize = texts.sum();
                assert!((bytes - 8..=bytes).contains(&total), "{kind}: {total} of {bytes}");
            }
        }
    }
}
