import { refusal } from '../../problem/problem.ts'
import type { Host, Outcome, RunOptions, Command } from '../host.ts'

/** Shorter than the longest line that is handed on in one piece, so that no piece lacks the number before it. */
const LONGEST_PIECE = 32 * 1024
const HEARTBEAT_SECONDS = 10
const ENDLESS_MS = 2 ** 31 - 1

/**
 * One process for all files, with the rules of the local follower, which tail keeps only nearly: a file that is replaced
 * is read to its end first. Lines of several files cannot mix within one line. The number of the file is before each
 * line; an empty line now and then makes it notice that nobody listens any more.
 */
const FOLLOWER = `use strict; $| = 1;
my ($count, @paths) = @ARGV; my @files = map { { path => $paths[$_], n => $_, count => $count } } 0 .. $#paths;
sub say_line { my ($f, $line) = @_; while (length $line > ${LONGEST_PIECE}) { print "$f->{n} ", substr($line, 0, ${LONGEST_PIECE}, ''), "\\n" } print "$f->{n} $line\\n" }
sub read_on { my $f = shift;
  my $size = -s $f->{h}; $size = 0 unless defined $size;
  if ($size < $f->{at}) { $f->{at} = 0 }
  sysseek($f->{h}, $f->{at}, 0);
  while (my $got = sysread($f->{h}, my $chunk, 65536)) {
    $f->{at} += $got; $f->{rest} .= $chunk;
    while ((my $end = index($f->{rest}, "\\n")) >= 0) { my $line = substr($f->{rest}, 0, $end + 1, ''); chop $line; say_line($f, $line) }
    if (length $f->{rest} > ${LONGEST_PIECE}) { say_line($f, $f->{rest}); $f->{rest} = '' }
  } }
sub last_lines { my ($h, $count) = @_; my ($end, $seen) = (-s $h, 0); return $end if $count <= 0;
  my $size = $end; my $limit = $size > 4194304 ? $size - 4194304 : 0;
  while ($end > $limit) { my $start = $end - 65536 > $limit ? $end - 65536 : $limit; sysseek($h, $start, 0); sysread($h, my $chunk, $end - $start);
    for (my $i = length($chunk) - 1; $i >= 0; $i--) { next if substr($chunk, $i, 1) ne "\\n" || $start + $i == $size - 1; return $start + $i + 1 if ++$seen == $count }
    $end = $start }
  return $limit }
my $beat = time;
while (1) {
  for my $f (@files) {
    if ($f->{h}) {
      read_on($f); my @now = stat $f->{path};
      if (@now && "$now[0] $now[1]" ne $f->{id}) { read_on($f); say_line($f, $f->{rest}) if $f->{rest} ne ''; close $f->{h}; delete $f->{h}; $f->{count} = 'all' }
    }
    if (!$f->{h} && open(my $h, '<', $f->{path})) {
      my @own = stat $h; $f->{h} = $h; $f->{id} = "$own[0] $own[1]"; $f->{rest} = '';
      $f->{at} = $f->{count} eq 'all' ? 0 : last_lines($h, $f->{count}); read_on($f);
    }
  }
  if (time - $beat > ${HEARTBEAT_SECONDS}) { print "\\n"; $beat = time }
  select(undef, undef, undef, 0.1);
}`

/** Follows files of the host until the signal aborts; rejects when the connection is lost or the follower ends. */
export async function followRemotely(
  host: { readonly name: string; run(command: Command, options: RunOptions): Promise<Outcome> },
  files: readonly string[],
  options: Parameters<Host['follow']>[1],
): Promise<void> {
  if (files.length === 0 || options.signal.aborted) return
  const outcome = await host.run(
    {
      program: 'perl',
      argv: ['-e', FOLLOWER, String(options.lines), ...files],
      summary: `follow ${files.length} files`,
    },
    {
      signal: options.signal,
      timeoutMs: ENDLESS_MS,
      maxOutputBytes: 0,
      onLine: (line, stream) => {
        const space = line.indexOf(' ')
        const file = stream === 'stdout' && space > 0 ? files[Number(line.slice(0, space))] : undefined
        if (file !== undefined && !options.signal.aborted) options.onLine(file, line.slice(space + 1))
      },
    },
  )
  if (outcome.failure === 'aborted') return
  const at = `host ${host.name}`
  if (outcome.failure === 'not-found') {
    throw refusal('hosts/missing-program', at, 'perl is not installed', 'Install the package perl-base.')
  }
  throw refusal(
    'hosts/follow-lost',
    at,
    `its files are not followed any more (${outcome.failure ?? 'the follower ended'})`,
    'Was the connection lost? Follow them again.',
  )
}
