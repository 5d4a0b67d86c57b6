import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { HELPER_PATH, HELPER_TEXT, SERVICE_USER } from '../src/hosts/drover-host/drover-host.ts'
import type { LabHost } from './lab-host.ts'
import { answerOf, startLogin } from './login.ts'

/** The user that Drover works as on a ready host; the lab's own key opens it. */
export const DEPLOY_USER = 'drover'

const USERS = `set -eu
id -u ${SERVICE_USER} >/dev/null 2>&1 ||
  useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin ${SERVICE_USER}
id -u ${DEPLOY_USER} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash ${DEPLOY_USER}
usermod -aG systemd-journal,adm ${DEPLOY_USER}
install -d -m 700 -o ${DEPLOY_USER} -g ${DEPLOY_USER} /home/${DEPLOY_USER}/.ssh
install -m 600 -o ${DEPLOY_USER} -g ${DEPLOY_USER} /home/admin/.ssh/authorized_keys /home/${DEPLOY_USER}/.ssh/
install -d -m 755 -o ${DEPLOY_USER} -g ${DEPLOY_USER} /srv/drover
install -d -m 755 /etc/drover
printf '/srv/drover\\n' >/etc/drover/roots
printf '%s\\n' '${DEPLOY_USER} ALL=(root) NOPASSWD: ${HELPER_PATH}' >/etc/sudoers.d/drover
chmod 440 /etc/sudoers.d/drover`

/** Makes of a bare host of the lab one that can run slots under systemd, with the Node.js that runs this. */
export async function makeReady(host: LabHost): Promise<void> {
  await host.inside(['sh', '-c', USERS])
  await host.inside(['sh', '-c', 'printf %s "$1" >"$2" && chmod 755 "$2"', 'sh', HELPER_TEXT, HELPER_PATH])
  await copyNode(host)
}

async function copyNode(host: LabHost): Promise<void> {
  const login = startLogin(host, "sudo sh -c 'cat >/usr/local/bin/node && chmod 755 /usr/local/bin/node'")
  const answer = answerOf(login)
  await pipeline(createReadStream(process.execPath), login.stdin)
  const { exitCode, stderr } = await answer
  if (exitCode !== 0) throw new Error(`${host.name} got no Node.js: ${stderr}`)
}
