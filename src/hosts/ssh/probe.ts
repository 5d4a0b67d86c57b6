import { refusal } from '../../problem/problem.ts'
import { cutOff } from '../cut-off.ts'
import type { Host, Probe, ProbeAnswer } from '../host.ts'
import { readResponse, renderRequest } from './http-exchange.ts'

/** More than the head of an answer and the part of its body that is kept. */
const ENOUGH_BYTES = 32 * 1024
const SPARE_MS = 15_000

/**
 * Carries bytes to ports of the loopback and back, all at the same time; what they mean is decided here, where it can
 * be tested. Perl, because its package perl-base is on every Debian and Ubuntu, and starts in 5 ms. Time::HiRes is not
 * in that package: the clock is the kernel's, in hundredths of a second. One question a line: place, port, milliseconds,
 * bytes in hex. One answer a line: place, milliseconds, how it ended, bytes in hex.
 */
const EXCHANGE = `use strict; use Socket; use Fcntl; use Errno qw(EINPROGRESS EAGAIN);
sub now { open(my $h, '<', '/proc/uptime') or return time; (split ' ', scalar <$h>)[0] }
$SIG{PIPE} = 'IGNORE'; $| = 1;
my @open;
sub over { my ($p, $how) = @_; $p->{over} = 1; close $p->{s} if $p->{s};
  $how =~ s/[^\\w .]//g; $how =~ s/ /_/g;
  printf "%d %.3f %s %s\\n", $p->{n}, 1000 * (now() - $p->{t}), $how, unpack('H*', $p->{in}); }
while (<STDIN>) {
  my ($n, $port, $ms, $hex) = split; my $now = now();
  my $p = { n => $n, t => $now, end => $now + $ms / 1000, ms => $ms, out => pack('H*', $hex), in => '' };
  socket($p->{s}, PF_INET, SOCK_STREAM, 0) or do { over($p, "$!"); next };
  fcntl($p->{s}, F_SETFL, O_NONBLOCK);
  if (!connect($p->{s}, sockaddr_in($port, INADDR_LOOPBACK)) && $! != EINPROGRESS) { over($p, "$!"); next }
  push @open, $p;
}
while (@open) {
  my ($r, $w, $end) = ('', '', now() + 60);
  for (@open) { vec($r, fileno $_->{s}, 1) = 1; vec($w, fileno $_->{s}, 1) = 1 if $_->{out} ne ''; $end = $_->{end} if $_->{end} < $end }
  my $wait = $end - now();
  select($r, $w, undef, $wait > 0 ? $wait : 0);
  for my $p (@open) {
    my $fd = fileno $p->{s};
    if ($p->{out} ne '' && vec($w, $fd, 1)) {
      my $error = unpack('i', getsockopt($p->{s}, SOL_SOCKET, SO_ERROR));
      if ($error) { $! = $error; over($p, "$!"); next }
      my $sent = syswrite($p->{s}, $p->{out}); substr($p->{out}, 0, $sent) = '' if $sent;
    }
    if (vec($r, $fd, 1)) {
      my $got = sysread($p->{s}, $p->{in}, 16384, length $p->{in});
      if (!defined $got) { over($p, "$!") unless $! == EAGAIN; }
      elsif ($got == 0) { over($p, 'eof') }
      elsif (length $p->{in} >= ${ENOUGH_BYTES}) { over($p, 'enough') }
    }
    over($p, "no answer within $p->{ms} ms") if !$p->{over} && now() >= $p->{end};
  }
  @open = grep { !$_->{over} } @open;
}`

/** Asks all questions on the host in one round trip. Never rejects for what a slot does. */
export async function probeRemotely(
  host: Pick<Host, 'name' | 'run'>,
  probes: readonly Probe[],
  signal?: AbortSignal,
): Promise<ProbeAnswer[]> {
  const requests = probes.map((probe) => renderRequest(probe))
  const questions = requests.flatMap((request, index) =>
    typeof request === 'string'
      ? []
      : [`${index} ${probes[index]?.port} ${probes[index]?.timeoutMs} ${request.toString('hex')}\n`],
  )
  const answers = requests.map((request) => failed(typeof request === 'string' ? request : 'aborted'))
  if (questions.length === 0 || signal?.aborted === true) return answers
  const outcome = await host.run(
    { program: 'perl', argv: ['-e', EXCHANGE], stdin: questions.join(''), summary: `ask ${questions.length} ports` },
    {
      timeoutMs: Math.max(...probes.map(({ timeoutMs }) => timeoutMs)) + SPARE_MS,
      maxOutputBytes: questions.length * (4 * ENOUGH_BYTES + 200),
      ...(signal === undefined ? {} : { signal }),
    },
  )
  if (!outcome.ok && outcome.failure !== 'aborted') throw notAsked(host.name, outcome.failure, outcome.stderr)
  for (const line of outcome.stdout.split('\n')) {
    const [index = '', durationMs, ended = '', hex = ''] = line.split(' ')
    if (durationMs === undefined) continue
    const response = readResponse(Buffer.from(hex, 'hex'), ended.replaceAll('_', ' '))
    answers[Number(index)] = { ...response, durationMs: Number(durationMs) }
  }
  return answers
}

function failed(error: string): ProbeAnswer {
  return { status: undefined, body: '', error, durationMs: 0 }
}

function notAsked(name: string, failure: string | undefined, stderr: string): Error {
  const at = `host ${name}`
  if (failure === 'transport') return cutOff(at, stderr.trim())
  return failure === 'not-found'
    ? refusal('hosts/missing-program', at, 'perl is not installed', 'Install the package perl-base.')
    : refusal(
        'hosts/probe',
        at,
        `its ports could not be asked (${failure}): ${stderr.trim()}`,
        'Is the host going down?',
      )
}
