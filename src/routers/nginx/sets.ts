import { z } from 'zod'
import type { Operation } from '../../hosts/operation.ts'
import type { Secret } from '../../secrets/secret.ts'
import type { RouteSet } from '../router.ts'
import { ROTATE } from './access-log.ts'
import { TOKEN_PATTERN } from './configuration.ts'
import { change, script } from './instance.ts'
import type { Instance } from './instance.ts'
import { checkedSetName, markersOf, prefixOf } from './prefix.ts'
import type { Prefix } from './prefix.ts'
import { LIST_PROCESSES } from './processes.ts'

/** Lays a set beside the live one. See `Router.lay`. */
export async function laySet(instance: Instance, set: RouteSet, token?: Secret): Promise<void> {
  const prefix = prefixOf(instance.fence.root)
  const operations = [
    ...layOperations(prefix, set),
    ...(token === undefined ? [] : [admitOperation(prefix, set, token)]),
  ]
  await change(instance, operations, `lay set ${set.name}`)
}

/** Moves every service of the set at once. See `Router.switch`. */
export async function switchTo(instance: Instance, name: string): Promise<void> {
  await change(instance, switchOperations(prefixOf(instance.fence.root), name), `switch to set ${name}`)
}

/** Leaves this set alone on the host, and live. See `Router.settle`. */
export async function settleOn(instance: Instance, set: RouteSet, besides: readonly Operation[]): Promise<void> {
  const prefix = prefixOf(instance.fence.root)
  const operations = [
    ...layOperations(prefix, set),
    ...switchOperations(prefix, set.name),
    ...pruneOperations(instance, [set.name]),
    ...besides,
  ]
  await change(instance, operations, `settle on set ${set.name}`)
}

/** Forgets what nobody needs any more. See `Router.prune`. */
export async function pruneSets(instance: Instance, keep: readonly string[]): Promise<void> {
  await change(instance, pruneOperations(instance, keep), 'prune the sets of the router')
}

/**
 * Gives a finished folder its name, last of all; a set that is there already and the same stays, and gets back what
 * somebody took from it. The folder is synced first: were the files missing after a power cut, every service would count
 * as not released.
 */
const FINISH = `cd -- "$1/sets" || exit
if [ -d "$2" ]; then
  cmp -s -- "$2/markers" ".$2/markers" || { echo "another set named $2 is on the host" >&2; exit 1; }
  while IFS= read -r marker; do [ -e "$2/$marker" ] || : >"$2/$marker" || exit; done <"$2/markers"
  for file in "$2"/*; do
    case \${file##*/} in set.json | markers) continue ;; esac
    grep -qxF -- "\${file##*/}" "$2/markers" || rm -rf -- "$file"
  done
  mv -fT -- ".$2/set.json" "$2/set.json" && sync -- "$2" && rm -rf -- ".$2"
else
  while IFS= read -r marker; do : >".$2/$marker" || exit; done <".$2/markers"
  sync -- ".$2" && mv -T -- ".$2" "$2" && sync -- .
fi`

/**
 * Lets a token reach a set, instead of the one that it reached before. The folder of tokens is made anew and its link
 * replaced, so that no request sees a mixture. Only words of the shell itself name tokens: the arguments of a program
 * can be read by everyone on the host.
 */
const ADMIT = `cd -- "$1" || exit
old=$(readlink pending)
new=pending.$$
mkdir -- "$new" || exit
for file in pending/*; do
  name=\${file#pending/}
  case $name in "$TOKEN" | "$TOKEN".* | '*') continue ;; esac
  : >"$new/$name" || exit
done
while IFS= read -r marker; do : >"$new/$TOKEN.$marker" || exit; done <"sets/$2/markers"
: >"$new/$TOKEN" && ln -s -- "$new" "$new/link" && mv -fT -- "$new/link" pending || exit
if [ -n "$old" ]; then rm -rf -- "$old"; fi`

const REQUIRE_SET = 'cd -- "$1" && [ -f "sets/$2/set.json" ] || { echo "there is no set $2 on the host" >&2; exit 1; }'

/** Also the shapes that nginx neither runs with nor would load. Without nginx there is nothing to prune. */
const PRUNE = `${LIST_PROCESSES}
prefix=$1
shift
cd -- "$prefix" || exit 0
rm -rf -- pending pending.* shapes/*/closing
for set in sets/* sets/.[!.]*; do
  [ -d "$set" ] || continue
  [ "$set" -ef live ] && continue
  for kept in "$@"; do
    [ "$set" = "sets/$kept" ] && continue 2
  done
  rm -rf -- "$set"
done
running=$(list_processes "$prefix" | cut -d ' ' -f 5)
for shape in shapes/*; do
  [ -d "$shape" ] || continue
  [ "$shape/nginx.conf" -ef nginx.conf ] && continue
  printf '%s\\n' "$running" | grep -qxF -- "\${shape#shapes/}" || rm -rf -- "$shape"
done`

/** Reads a `set.json` back. Throws when it is not one. */
export function readSet(text: string): RouteSet {
  return ROUTE_SET.parse(JSON.parse(text))
}

const ROUTE_SET = z.object({
  name: z.string(),
  release: z.number(),
  choices: z.record(
    z.string(),
    z.object({ slot: z.enum(['a', 'b']), shielded: z.boolean().exactOptional(), hold: z.boolean().exactOptional() }),
  ),
})

function layOperations({ folder }: Prefix, set: RouteSet): Operation[] {
  const part = `${folder}/sets/.${checkedSetName(set.name)}`
  return [
    { kind: 'folder', path: folder, mode: 0o700 },
    { kind: 'remove', path: part },
    { kind: 'folder', path: part },
    { kind: 'write', path: `${part}/set.json`, content: JSON.stringify(set) },
    {
      kind: 'write',
      path: `${part}/markers`,
      content: markersOf(set)
        .map((marker) => `${marker}\n`)
        .join(''),
    },
    script(FINISH, [folder, set.name]),
  ]
}

function switchOperations({ folder, live }: Prefix, name: string): Operation[] {
  return [
    script(REQUIRE_SET, [folder, name]),
    { kind: 'link', path: live, target: `sets/${checkedSetName(name)}` },
    // What was reported as live is live after a cut of the power too.
    script('sync -- "$1"', [folder]),
  ]
}

function pruneOperations({ fence, rotateAtBytes }: Instance, keep: readonly string[]): Operation[] {
  const { folder } = prefixOf(fence.root)
  return [script(PRUNE, [folder, ...keep.map(checkedSetName)]), script(ROTATE, [folder, String(rotateAtBytes)])]
}

function admitOperation({ folder }: Prefix, set: RouteSet, token: Secret): Operation {
  if (!new RegExp(TOKEN_PATTERN).test(token.open())) {
    throw new TypeError(`a token of a pending set matches ${TOKEN_PATTERN}`)
  }
  return { ...script(ADMIT, [folder, set.name]), env: { TOKEN: token } }
}
