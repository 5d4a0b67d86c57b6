# Prints `handed <sha256> <slot>` for each slot and its two files: the sum of both, one after the other, what is not there
# being empty. One sha256sum for all: a program for each costs more than the rest of an inspection.
use strict;
use warnings;
use Fcntl qw(F_SETFD);

# A pipe takes so much without a reader.
use constant IN_A_PIPE => 60_000;

my ( @slots, @pipes );
while ( my ( $slot, @files ) = splice @ARGV, 0, 3 ) {
    my $text = join '', map { content($_) } @files;
    pipe my $end, my $start or die "pipe: $!\n";
    my $is_large = length $text > IN_A_PIPE;
    if ( !$is_large || !( fork // die "fork: $!\n" ) ) {
        print {$start} $text;
        exit 0 if $is_large;
    }
    close $start;
    # sha256sum finds it open.
    fcntl $end, F_SETFD, 0;
    push @slots, $slot;
    push @pipes, $end;
}
exit 0 unless @pipes;
open my $sums, '-|', 'sha256sum', map { '/proc/self/fd/' . fileno $_ } @pipes or die "sha256sum: $!\n";
while (<$sums>) { printf "handed %s %s\n", substr( $_, 0, 64 ), shift @slots }

sub content {
    open my $file, '<', $_[0] or return '';
    local $/;
    return <$file> // '';
}
