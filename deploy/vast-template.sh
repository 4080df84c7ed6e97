#!/usr/bin/env bash
# Make a template of Vast.ai that opens Lorasmith's studio; then rent a machine with it. Needs `pip install vastai` and `vastai set api-key`.
#
#   deploy/vast-template.sh YOUR-NAME/lorasmith:latest
set -eu
vastai create template \
  --name lorasmith-studio \
  --image "$1" \
  --env "-p 8611:8611 -e HF_HOME=/workspace/cache/huggingface -e LORASMITH_CACHE=/workspace/cache/lorasmith" \
  --ssh --direct \
  --disk_space 100 \
  --onstart-cmd "lorasmith studio --host 0.0.0.0 --port 8611 --no-browser > /workspace/studio.log 2>&1 &"
