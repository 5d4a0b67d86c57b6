/**
 * A service's start line as `sh -c` runs it. A single command replaces the shell, so that signals reach it; anything
 * more needs the shell to stay.
 */
export function launchLine(line: string): string {
  const single =
    /^[A-Za-z0-9_./~"'-]+(\s|$)/.test(line) &&
    !/[;&|\n(){}`]|\$\(/.test(line) &&
    !/^(cd|exec|\.|export|set)\s/.test(line)
  return single ? `exec ${line}` : line
}
