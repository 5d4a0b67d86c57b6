import { asRoot, writingFiles } from './on-host.ts'
import { variables } from './fleet.ts'
import type { FleetService } from './fleet.ts'
import type { Setting } from './contestant.ts'

/** The units and the nginx that tools find on the host which restart services where they are, on their stable ports. */
export async function installUnits({ stage, host }: Setting, folder: string): Promise<void> {
  const files: Record<string, string> = {
    '/etc/pakashop/fleet.env': `${variables(stage.services, stage.stores).join('\n')}\n`,
    '/etc/nginx/conf.d/pakashop.conf': edge(stage.services, host.address),
  }
  for (const service of stage.services) {
    files[`/etc/systemd/system/pakashop-${service.name}.service`] = unit(service, folder)
  }
  const names = stage.services.map(({ name }) => `pakashop-${name}`).join(' ')
  await asRoot(
    host,
    `${writingFiles(files)}systemctl daemon-reload; systemctl -q enable ${names}; systemctl reload nginx`,
  )
}

function unit({ name, port, language }: FleetService, folder: string): string {
  const place = `${folder}/services/${name}`
  const program = {
    node: '/usr/local/bin/node server.js',
    go: `${place}/bin/${name}`,
    python: `${place}/venv/bin/python main.py`,
  }
  return `[Unit]
Description=Pakashop ${name}
After=network.target

[Service]
User=admin
WorkingDirectory=${place}
EnvironmentFile=/etc/pakashop/fleet.env
Environment=PORT=${port}
ExecStart=${program[language]}
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
`
}

/** The host's own nginx, the same in front of every tool but the limit: kept connections on both sides. */
export function edge(services: readonly FleetService[], address: string): string {
  return services
    .map(({ name, port }) => `${upstream(name, [`127.0.0.1:${port}`])}${server(name, `${address}:${port}`)}`)
    .join('\n')
}

export function upstream(name: string, servers: readonly string[]): string {
  return `upstream pakashop_${name} { ${servers.map((each) => `server ${each}; `).join('')}keepalive 16; }\n`
}

export function server(name: string, listen: string, more = ''): string {
  return `server {
  listen ${listen};
  location / {
    proxy_pass http://pakashop_${name};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    ${more}
  }
}
`
}
