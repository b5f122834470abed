# The whole vocabulary: demo, test, lint, format, clean.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PLUGINS := cascade s2sbench spoken-qa synth lm-eval echox echox-tiny hf-speech baichuan-audio glm-4-voice kimi-audio arena mtalk-bench openai
PROJECTS := pyproject.toml $(PLUGINS:%=plugins/%/pyproject.toml)
EXTRAS := cascade[piper] spoken-qa[ifeval] synth[lm-eval,parquet]
PLAIN := $(filter-out cascade spoken-qa synth,$(PLUGINS))
EDITABLE := -e . $(patsubst %,-e "plugins/%",$(EXTRAS) $(PLAIN))

.PHONY: demo test lint format clean

demo: $(VENV)/.installed
	$(BIN)/speechzoo fetch cascade echox-tiny
	$(BIN)/speechzoo eval --model echox-tiny --task s2sbench-mini --rival cascade

test: $(VENV)/.installed-dev
	$(BIN)/speechzoo fetch cascade echox-tiny
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) runs

$(VENV)/.installed: $(PROJECTS) constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(EDITABLE)
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	touch $@
