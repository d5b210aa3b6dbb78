# Every command of this project. `make` alone prints this help.

VENV := .venv
PYTHON_RUN := $(VENV)/bin/python
# The code of this folder, also where .venv was made for another one of which this is a copy.
export PYTHONPATH := $(CURDIR)/03_scripts$(if $(PYTHONPATH),:$(PYTHONPATH))
BASKET := $(PYTHON_RUN) -m basket

# A variable that is misspelt would be ignored: `make report DTA=…` would report on other data.
KNOWN := DATA OUT RULES SCALE FROM SETTINGS SCHEDULER ROUNDS SHUFFLED PUBLISHED TO ALLOW_SYNTHETIC \
	ACCEPT_DIFFERENCE SITE PYTHON VENV SHELL MAKEFLAGS NO_FABRICATION
GIVEN := $(foreach name,$(.VARIABLES),$(if $(findstring command,$(origin $(name))),$(name)))
UNKNOWN := $(filter-out $(KNOWN),$(GIVEN))
$(if $(UNKNOWN),$(error unknown variable $(UNKNOWN); known are $(KNOWN)))

# A value may hold the name of a file that somebody else chose. It reaches a command as a variable
# of the shell, "$$DATA", and is no text of a recipe: neither make nor the shell obeys what is in it.
TEXTS := DATA OUT RULES SCALE FROM SETTINGS SCHEDULER ROUNDS TO SITE
GIVEN_TEXTS := $(foreach name,$(TEXTS),$(if $(value $(name)),$(name)))
$(foreach name,$(GIVEN_TEXTS),$(eval override $(name) := $$(value $(name)))$(eval export $(name)))

OPTIONS = $(if $(DATA),--data "$$DATA") $(if $(OUT),--out "$$OUT") \
	$(if $(RULES),--rules "$$RULES") $(if $(SCALE),--scale "$$SCALE") \
	$(if $(FROM),--from "$$FROM") $(if $(SETTINGS),--settings "$$SETTINGS") \
	$(if $(SCHEDULER),--scheduler "$$SCHEDULER") $(if $(NO_FABRICATION),--no-fabrication)

.PHONY: help again report check lab test test-slow guards lint bench verify reproduce send example \
	mutants clean

help: ## show this help
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1@\2/p' $(MAKEFILE_LIST) | awk -F@ '{printf "%-20s %s\n", $$1, $$2}'
	@echo
	@echo "  Variables of report: DATA= folder or zip, OUT= folder for all results,"
	@echo "  RULES= corrected or course, SCALE= size of the generated data, FROM= stage to"
	@echo "  run again from, SETTINGS= another settings file, SCHEDULER= address of a"
	@echo "  Dask cluster that does the work: tcp://host:port"

# Each command installs what it needs: a report the least. Another PYTHON= sets all up again.
AGAIN := $(if $(findstring command,$(origin PYTHON)),again)
$(VENV)/installed.lock: requirements.lock 03_scripts/set_up.sh $(AGAIN)
	@sh 03_scripts/set_up.sh

$(VENV)/installed-%.lock: requirements-%.lock $(VENV)/installed.lock
	@sh 03_scripts/set_up.sh $*

NEEDED := $(VENV)/installed.lock $(if $(SCHEDULER),$(VENV)/installed-cluster.lock)
TESTED := $(VENV)/installed-test.lock $(VENV)/installed-cluster.lock

again:

report: $(NEEDED) ## build the Excel report and all that leads to it
	@$(BASKET) report $(OPTIONS)

check: $(VENV)/installed.lock ## look at the raw files without building anything: DATA=
	@$(BASKET) check $(if $(SETTINGS),--settings "$$SETTINGS") $(if $(DATA),-- "$$DATA")

lab: $(VENV)/installed-lab.lock ## open the notebooks in JupyterLab: DATA=, OUT=, SETTINGS=
	@$(BASKET) lab $(if $(DATA),--data "$$DATA") $(if $(OUT),--out "$$OUT") \
		$(if $(SETTINGS),--settings "$$SETTINGS")

# A worker takes 5 seconds to compile the tests: it keeps what it has compiled.
PYTEST := PYTHONDONTWRITEBYTECODE= $(PYTHON_RUN) -m pytest -q
ON_TWO_CORES := -n 2 --dist loadfile --no-loadscope-reorder

test: $(TESTED) ## run the quick tests (about 2.5 minutes)
	@$(PYTEST) -m "not slow" $(ON_TWO_CORES)

test-slow: $(TESTED) ## run the slow tests
	@$(PYTEST) -m "slow and not alone" $(ON_TWO_CORES)
	@$(PYTEST) -m "slow and alone"

guards: $(TESTED) ## run all guards against false and missed answers; CI runs a tenth
	@GUARDS=all $(PYTHON_RUN) -m pytest -q -s tests/test_guards.py

lint: $(TESTED) ## check the style of code and notebooks
	@$(VENV)/bin/ruff check 03_scripts tests benchmarks
	@$(VENV)/bin/ruff format --check 03_scripts tests benchmarks

bench: $(TESTED) ## measure time and memory against a DuckDB script: SCALE=, ROUNDS=
	@$(PYTHON_RUN) benchmarks/bench.py $(if $(SCALE),--scale "$$SCALE") \
		$(if $(ROUNDS),--rounds "$$ROUNDS") $(if $(SHUFFLED),--shuffled)

verify: $(VENV)/installed.lock ## check files against the manifest, numbers against the tables
	@$(BASKET) verify $(if $(OUT),--out "$$OUT") $(if $(PUBLISHED),--published)

reproduce: $(VENV)/installed.lock ## build twice under other conditions and compare every byte
	@$(BASKET) reproduce $(if $(DATA),--data "$$DATA") $(if $(RULES),--rules "$$RULES") \
		$(if $(SCALE),--scale "$$SCALE") $(if $(SETTINGS),--settings "$$SETTINGS")

send: $(VENV)/installed.lock ## put a dated copy of the report aside and log it: make send TO="..."
	@$(BASKET) send --to "$$TO" $(if $(OUT),--out "$$OUT") $(if $(ALLOW_SYNTHETIC),--allow-synthetic) \
		$(if $(ACCEPT_DIFFERENCE),--accept-difference)

example: $(VENV)/installed.lock ## build RESULTS.md and 04_analysis/example from the generated default
	@$(BASKET) example $(if $(SITE),--site "$$SITE")

mutants: $(TESTED) ## change the code in 60 places, one at a time: do the tests notice?
	@$(PYTHON_RUN) benchmarks/mutants.py

clean: $(VENV)/installed.lock ## remove all that was built; original_data and what was sent stay
	@$(BASKET) clean
