/** Options of the commands, as the declarations promise them. */

export interface EnvironmentOptions {
  readonly environment?: string
}
export interface PlanOptions extends EnvironmentOptions {
  readonly ref?: string
  readonly without?: readonly string[]
  readonly steps?: boolean
  readonly detailedExitcode?: boolean
}
export interface DeployOptions extends EnvironmentOptions {
  readonly ref?: string
  readonly without?: readonly string[]
  readonly reason?: string
  readonly plan?: string
  readonly detach?: boolean
  readonly yes?: boolean
}
export interface RollbackOptions extends EnvironmentOptions {
  readonly service?: string
  readonly without?: readonly string[]
  readonly reason?: string
  readonly detach?: boolean
}
export interface HealOptions extends EnvironmentOptions {
  readonly reason?: string
  readonly detach?: boolean
}
export interface DriftOptions extends EnvironmentOptions {
  readonly deep?: boolean
}
export interface ReleasesOptions extends EnvironmentOptions {
  readonly number: string
}
export interface ReleaseOptions extends EnvironmentOptions {
  readonly follow?: boolean
}
export interface LogsOptions extends EnvironmentOptions {
  readonly follow?: boolean
  readonly lines: string
}
export interface TeardownOptions extends EnvironmentOptions {
  readonly yes?: boolean
}
export interface ServeOptions {
  readonly host: string
  readonly port: string
  readonly home?: string
  readonly databaseUrl?: string
}
export interface HostsAddOptions {
  readonly label?: readonly string[]
  readonly port?: string
  readonly address?: string
  readonly user?: string
  readonly as?: string
}
export interface HostsCheckOptions {
  readonly as?: string
}
export interface HostsBootstrapOptions {
  readonly as?: string
  readonly key?: string
  readonly yes?: boolean
}
export interface BreakGlassOptions {
  readonly host: string
  readonly to?: string
  readonly root?: string
  readonly fleet?: string
}
