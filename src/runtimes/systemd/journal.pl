# Lines that slots wrote to the journal, each after the number of its slot: the last ones of every slot, then, when asked
# to follow, what comes. A long line comes in pieces.
#
#   perl journal.pl <lines> <follow 0|1> (<unit> <file that says since when>)...
use strict;
use constant LONGEST_PIECE => 32 * 1024;
use constant HEARTBEAT_SECONDS => 10;
my ($count, $follow, @sources) = @ARGV;
my (@units, %number, %since, %shown);
while (my ($unit, $file) = splice(@sources, 0, 2)) {
  $number{$unit} = @units;
  push @units, $unit;
  open(my $h, '<', $file) or next;
  my ($boot, $uptime, $time) = split ' ', scalar <$h> // '';
  $boot =~ s/-//g if defined $boot;
  $since{$unit} = [$boot, $uptime, $time] if defined $time;
}
$| = 1;

# The export format: lines NAME=value, or NAME, 8 bytes of length and so many bytes; an empty line ends an entry.
sub read_entry {
  my $h = shift;
  my %entry;
  while (defined(my $line = <$h>)) {
    chomp $line;
    if ($line eq '') { return \%entry if %entry; next }
    if ((my $at = index($line, '=')) > 0) { $entry{substr($line, 0, $at)} = substr($line, $at + 1); next }
    read($h, my $size, 8) == 8 or last;
    read($h, my $value, unpack('Q<', $size));
    read($h, my $end, 1);
    $entry{$line} = $value;
  }
  return %entry ? \%entry : undef;
}

# By the clock of this boot where that is possible: the other one may be set.
sub is_older {
  my ($entry, $since) = @_;
  return 0 unless $since;
  my ($boot, $uptime, $time) = @$since;
  return $entry->{__MONOTONIC_TIMESTAMP} < $uptime if $entry->{_BOOT_ID} eq $boot;
  return $entry->{__REALTIME_TIMESTAMP} < $time;
}

sub show {
  my $entry = shift;
  my $number = $number{$entry->{_SYSTEMD_UNIT} // ''};
  return unless defined $number;
  for my $line (split /\n/, $entry->{MESSAGE} // '') {
    while (length $line > LONGEST_PIECE) { print "$number ", substr($line, 0, LONGEST_PIECE, ''), "\n" }
    print "$number $line\n";
  }
}

sub journal {
  my @arguments = ('--quiet', '--no-pager', '--output=export', @_);
  my $pid = open(my $h, '-|', 'journalctl', @arguments) or die "cannot run journalctl: $!\n";
  return ($pid, $h);
}

my @cursor;
if ($follow) {
  my (undef, $h) = journal('--lines=1', '--output-fields=_BOOT_ID');
  my $last = read_entry($h);
  @cursor = ("--after-cursor=$last->{__CURSOR}") if $last;
}
for my $unit ($count > 0 ? @units : ()) {
  my (undef, $h) = journal("--lines=$count", '--output-fields=MESSAGE,_SYSTEMD_UNIT,_BOOT_ID', "_SYSTEMD_UNIT=$unit");
  while (my $entry = read_entry($h)) {
    next if is_older($entry, $since{$unit});
    $shown{$entry->{__CURSOR}} = 1 if $follow;
    show($entry);
  }
  close $h;
}
exit 0 unless $follow;

my ($pid, $h) = journal('--follow', @cursor, '--output-fields=MESSAGE,_SYSTEMD_UNIT', map { "_SYSTEMD_UNIT=$_" } @units);
# Without it, nothing would show that nobody listens any more.
$SIG{PIPE} = $SIG{TERM} = $SIG{HUP} = sub { kill 'TERM', $pid; exit 1 };
$SIG{ALRM} = sub { print "\n"; alarm HEARTBEAT_SECONDS };
alarm HEARTBEAT_SECONDS;
while (my $entry = read_entry($h)) { show($entry) unless delete $shown{$entry->{__CURSOR}} }
die "journalctl ended\n";
