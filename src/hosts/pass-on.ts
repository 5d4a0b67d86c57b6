import { Secret } from '../secrets/secret.ts'

/** Variables that decide whether a program reaches the network at all from this machine: proxies and trusted roots. */
export const NETWORK_VARIABLES: readonly string[] = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'all_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'NODE_EXTRA_CA_CERTS',
  'SSH_AUTH_SOCK',
]

/**
 * The named variables of Drover's own environment, for a command that needs them: a host passes nothing on by itself.
 * What looks like a credential by its name or its value comes out as a {@link Secret}.
 */
export function passOn(names: readonly string[]): Record<string, string | Secret> {
  const passed: Record<string, string | Secret> = {}
  for (const name of names) {
    const value = process.env[name]
    if (value !== undefined) {
      passed[name] = isCredential(name, value) ? new Secret(value) : value
    }
  }
  return passed
}

function isCredential(name: string, value: string): boolean {
  return /token|password|passwd|secret|auth$/i.test(name) || /:\/\/[^\s/]*@/.test(value)
}
