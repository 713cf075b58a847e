#!/bin/sh
# Makes a signed call of the API with curl and sha256sum.
#
#   examples/call.sh PATH ACTION [BODY [NAME=VALUE...]]
#
# Values must not contain characters that a URL encodes. Python 3 is used to read JSON only.
set -eu
server=${ALDIS_URL:-http://127.0.0.1:8080}
key_file=${ALDIS_KEY_FILE:-./aldis-data/admin-key.json}
path=$1 action=$2 body=${3:-}
shift "$(($# < 3 ? $# : 3))"

field() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
sha256() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

key=$(field "['appKey']" <"$key_file")
secret=$(field "['appSecret']" <"$key_file")
organization=$(field "['orgId']" <"$key_file")
now=$(date +%s%3N)

token=$(curl -sS "$server/apim-token-service/v2.0/token/get" -H 'content-type: application/json' \
    -d "{\"appKey\":\"$key\",\"timestamp\":$now,\"encryption\":\"$(sha256 "$key$now$secret")\"}" |
    field "['data']['accessToken']")

sorted=$(printf '%s\n' "action=$action" "orgId=$organization" "$@" | LC_ALL=C sort)
query=$(printf '%s' "$sorted" | tr '\n' '&')
signed=$(printf '%s\n' "$sorted" | sed 's/=//' | tr -d '\n')
curl -sS "$server/$path?$query" -H 'content-type: application/json' -H "apim-accesstoken: $token" \
    -H "apim-timestamp: $now" -H "apim-signature: $(sha256 "$token$signed$body$now$secret")" -d "$body"
echo
