#!/bin/bash
# The document's own deployment, step for step (section 5.2), to compare with. Differences: `systemctl` stands behind the
# functions of units.sh, a virtual environment is made when there is none, and "if applicable" is asked of the folder.
set -e
ENV=$1 # staging or production
BRANCH=$(git rev-parse --abbrev-ref HEAD)
source scripts/units.sh
echo "Deploying to $ENV (branch: $BRANCH)"
# Pull latest code
git pull origin "$BRANCH"
# Node.js services
for service in gateway backend config notifications tracking scheduler fraud coupon loyalty whatsapp reports reconciliation invoicing pricing settlement; do
  echo "Deploying $service..."
  cd services/$service
  npm ci --production
  if [ -d prisma ]; then npx prisma migrate deploy; fi
  cd ../..
  restart $service
  sleep 2
  is_active $service || exit 1
done
# Go services
for service in search analytics; do
  echo "Deploying $service..."
  cd services/$service
  go build -o bin/$service ./src
  cd ../..
  restart $service
  sleep 2
  is_active $service || exit 1
done
# Python services
for service in moderation recommendations; do
  echo "Deploying $service..."
  cd services/$service
  [ -d venv ] || python3 -m venv venv
  source venv/bin/activate
  pip install -r requirements.txt
  cd ../..
  restart $service
  sleep 2
  is_active $service || exit 1
done
# Reload nginx
reload_nginx
echo "Deployment to $ENV completed successfully"
