# `make` lists the targets. Everything sets itself up: uv where it is missing, the environment .venv, the zips.
.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-terraform test-integration check-provider check-permissions chaos benchmark benchmark-reconciler lint format \
	docs picture package local-up local-down local-outputs plan apply clean environment-given

ENVIRONMENTS := development staging production
PYTHON := .venv/bin/python
TERRAFORM := scripts/terraform
READY := .venv/.ready
ON_A_STACK = $(PYTHON) -m pytest -q --tf-binary="$(CURDIR)/$(TERRAFORM)" --tf-mod-dir=tests/stacks

help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## Bring everything up on this machine and run one job of each type
	@$(PYTHON) -m scripts.demo

# The plans are made while the integration tests wait for their stack to be applied.
test: test-unit ## Run all tests
	@$(MAKE) --no-print-directory -j 2 $(if $(filter output-sync,$(.FEATURES)),-Otarget) test-terraform test-integration

test-unit: $(READY) ## Run the unit tests (no Terraform, no local AWS)
	@$(PYTHON) -m pytest -q -p no:terraform -p no:schemathesis -n auto tests/unit $(PYTEST_ARGS)

test-terraform: $(READY) ## Run the Terraform tests (plans only): leaves, composition, environments, the order of an apply, alarms over made-up data, policies against AWS's list of actions
	@$(TERRAFORM) -chdir=tests/terraform init -backend=false -input=false >/dev/null
	@$(TERRAFORM) -chdir=tests/terraform test -test-directory=.
	@$(PYTHON) -m pytest -q -p no:terraform -p no:schemathesis tests/alarms tests/terraform $(PYTEST_ARGS)

test-integration: $(READY) package ## Run the integration tests, and a short fault suite, on a local AWS of their own
	@$(ON_A_STACK) tests/integration tests/chaos $(PYTEST_ARGS)

check-provider: $(READY) ## Check all arguments of the HCL against the schema of AWS provider 6.x (downloads 37 MB once, with npm)
	@$(PYTHON) -m scripts.check_provider

check-permissions: $(READY) package ## Take each permission of the functions away on a local AWS, and see what fails (a few minutes)
	@$(ON_A_STACK) -s tests/permissions $(PYTEST_ARGS)

chaos: $(READY) package ## Run the whole fault suite on a local AWS of its own (6 to 9 minutes)
	@$(ON_A_STACK) -s --chaos=full tests/chaos $(PYTEST_ARGS)

benchmark: $(READY) package ## Time a batch, the metrics of a job, the start of ai-jobs and of the client, and the jobs API on a local stack
	@PYTHONPATH=functions $(PYTHON) tests/benchmarks/batch.py
	@$(PYTHON) tests/benchmarks/metrics.py
	@$(PYTHON) tests/benchmarks/command.py
	@$(PYTHON) tests/benchmarks/api.py

benchmark-reconciler: $(READY) ## Time the reconciler with 100,000 dead letters and 10,000 crashed jobs (6 minutes)
	@$(PYTHON) tests/benchmarks/reconciler.py

lint: $(READY) ## Check style, types, Terraform, shell scripts and the generated docs
	@$(PYTHON) -m ruff check --quiet .
	@$(PYTHON) -m ruff format --check --quiet . || { echo "not formatted: run make format" >&2; exit 1; }
	@$(PYTHON) -m mypy --no-error-summary
	@.venv/bin/shellcheck scripts/uv scripts/terraform .ci/run
	@$(TERRAFORM) fmt -check -diff -recursive . || { echo "not formatted: run make format" >&2; exit 1; }
	@for root in local $(ENVIRONMENTS); do \
		$(TERRAFORM) -chdir="environments/$$root" init -backend=false -input=false -lockfile=readonly >/dev/null && \
		$(TERRAFORM) -chdir="environments/$$root" validate >/dev/null || exit 1; \
	done
	@$(PYTHON) -m scripts.module_docs --check
	@$(PYTHON) -m scripts.copy_roots --check
	@echo "lint: nothing to complain about"

format: $(READY) ## Format Python and Terraform
	@$(PYTHON) -m ruff check --quiet --fix . || true
	@$(PYTHON) -m ruff format --quiet .
	@$(TERRAFORM) fmt -recursive .

docs: $(READY) ## Write the inputs and outputs tables of the modules' READMEs, and what the environments have in common
	@$(PYTHON) -m scripts.module_docs
	@$(PYTHON) -m scripts.copy_roots

picture: $(READY) ## Draw docs/dashboard.png from a local run's numbers (about two minutes)
	@scripts/uv run --frozen --quiet --group picture python -m scripts.dashboard_picture

package: $(READY) ## Build the Lambda zips in dist/
	@$(PYTHON) -m scripts.package

local-up: $(READY) ## Start the local AWS and apply environments/local (port: AI_JOBS_LOCAL_PORT)
	@$(PYTHON) -m scripts.local_stack up

local-down: $(READY) ## Stop the local AWS and forget what was applied to it
	@$(PYTHON) -m scripts.local_stack down

local-outputs: $(READY) ## Print the local stack's Terraform outputs as JSON
	@$(PYTHON) -m scripts.local_stack outputs

# A plan whose job types are broken is not applied. A saved plan takes no -auto-approve, and asks nothing: make does.
PLAN = .terraform/ai-jobs.tfplan
APPROVED = $(filter -auto-approve -auto-approve=true --auto-approve,$(TF_ARGS))
PLANNED = $(TERRAFORM) -chdir="environments/$(ENV)" init -input=false -backend-config=backend.hcl && \
	$(TERRAFORM) -chdir="environments/$(ENV)" plan $(filter-out $(APPROVED),$(TF_ARGS)) -out=$(PLAN) && \
	$(TERRAFORM) -chdir="environments/$(ENV)" show -json $(PLAN) >"environments/$(ENV)/$(PLAN).json" && \
	.venv/bin/ai-jobs types check "environments/$(ENV)/$(PLAN).json" || \
	{ rm -f "environments/$(ENV)/$(PLAN)" "environments/$(ENV)/$(PLAN).json"; echo "nothing was applied" >&2; exit 1; }; \
	rm -f "environments/$(ENV)/$(PLAN).json"

plan: environment-given package ## Plan an environment on AWS, and check its job types: make plan ENV=development
	@$(PLANNED)

apply: environment-given package ## Plan, check and apply an environment on AWS: make apply ENV=development
	@$(PLANNED)
	@$(if $(APPROVED),:,printf 'Apply this plan to %s? Only "yes" applies it: ' "$(ENV)" && read -r answer && [ "$$answer" = yes ]) || \
		{ echo "nothing was applied" >&2; exit 1; }
	@$(TERRAFORM) -chdir="environments/$(ENV)" apply $(PLAN)
	@rm -f "environments/$(ENV)/$(PLAN)"

environment-given:
	@$(if $(and $(filter 1,$(words $(ENV))),$(filter $(ENV),$(ENVIRONMENTS))),:,echo 'ENV is "$(ENV)"; give one of $(ENVIRONMENTS), for instance: \
		make plan ENV=development (the local environment: make local-up)' >&2; exit 1)
	@[ -f "environments/$(ENV)/backend.hcl" ] || { \
		echo "environments/$(ENV)/backend.hcl is missing: it says where the state is (bucket, key, region);" >&2; \
		echo "copy environments/$(ENV)/backend.hcl.example and fill it in" >&2; exit 1; }

clean: $(READY) ## Stop the local stack and remove all that was built
	@$(PYTHON) -m scripts.local_stack down
	@rm -rf dist build .local .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find environments tests examples -name .terraform -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml uv.lock .python-version scripts/uv
	@scripts/uv sync --frozen --quiet
	@touch $(READY)
