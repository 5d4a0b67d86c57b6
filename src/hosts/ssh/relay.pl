# Starts commands on a host for one connection, for as long as that is open. A command of its own would cost a session of
# sshd and seven programs before its first line; one that is handed on here costs a fork.
#
# On stdin comes, for each command, a line and so many bytes each:
#
#     <id> <bytes of words> <bytes of input>
#
# Without any words it is only asked whether it is there, and answers `exit 0`. The words end with NUL: working folder
# (empty: where this runs), how many variables, each name and each value, the program, its arguments. On stdout goes, for
# each command, a line `<id> <what> <number>`:
#
#     begin     it runs, in a process group of this number
#     missing   there is no such program (0) or folder (1)
#     out, err  so many bytes follow
#     exit      its exit code
#     signal    the number of the signal that it died of
#
# What is there at the end of a command is told before its end; what a daemon that it left behind says later is not. When
# the connection is lost, this stays until the commands have ended, for what they say would kill them if nobody took it.
#
# `perl -e <text>` is not started anew: a fork of this, which has read the modules already, costs less.

# Before any pragma or variable, so that the text of a program sees none of this.
sub main::evaluate { eval shift @ARGV; return unless $@; print STDERR $@; exit 255 }

package relay;
use strict;
use warnings;
use Errno qw(EACCES EAGAIN EINTR ENOENT ENOTDIR);
use Fcntl qw(F_GETFL F_SETFL O_NONBLOCK);
use File::Basename ();
use POSIX ();
use Socket ();

use constant CHUNK => 65_536;

# More than a pipe holds: whoever still writes then is somebody else.
use constant MOST_READS_AT_END => 32;

my %commands;    # id => pid, input (what is left of it), and the handles in, out and err while they are open
my $orders = '';
my $alone  = 0;    # nobody listens any more
# The end of a command interrupts the wait for its output.
$SIG{CHLD} = sub { };
$SIG{PIPE} = 'IGNORE';

while ( !$alone || %commands ) {
    my ( $readable, $writable ) = ( '', '' );
    vec( $readable, fileno $_, 1 ) = 1 for $alone ? () : \*STDIN, map { grep { $_ } @$_{qw(out err)} } values %commands;
    vec( $writable, fileno $_, 1 ) = 1 for grep { $_ } map { $_->{in} } values %commands;
    if ( select( $readable, $writable, undef, patience() ) < 0 ) {
        die "select: $!\n" unless $! == EINTR;
        collect();
        next;
    }
    if ( vec( $readable, 0, 1 ) ) { read_orders() or $alone = 1 }
    for my $id ( keys %commands ) {
        my $command = $commands{$id};
        for my $stream (qw(out err)) {
            pass_on( $id, $stream ) if $command->{$stream} && vec( $readable, fileno $command->{$stream}, 1 );
        }
        hand_over($command) if $command->{in} && vec( $writable, fileno $command->{in}, 1 );
    }
    collect();
}

# In seconds. A command may end in the moment before the wait, which is not interrupted then.
sub patience {
    return undef unless %commands;
    return ( grep { !$_->{out} && !$_->{err} } values %commands ) ? 0.005 : 0.1;
}

# False at the end.
sub read_orders {
    my $got = sysread STDIN, $orders, CHUNK, length $orders;
    return $! == EINTR unless defined $got;
    return 0 if $got == 0;
    while ( $orders =~ /\A(\d+) (\d+) (\d+)\n/ ) {
        my ( $id, $words, $input, $head ) = ( $1, $2, $3, $+[0] );
        last if length($orders) < $head + $words + $input;
        start( $id, substr( $orders, $head, $words ), substr $orders, $head + $words, $input );
        substr( $orders, 0, $head + $words + $input ) = '';
    }
    return 1;
}

sub start {
    my ( $id, $text, $input ) = @_;
    return answer( $id, 'exit', 0 ) if $text eq '';
    my ( $folder, $count, @words ) = split /\0/, $text, -1;
    pop @words;
    my %variables = splice @words, 0, 2 * $count;
    pipe my $in_there, my $in or die "pipe: $!\n";
    pipe my $out, my $out_there or die "pipe: $!\n";
    pipe my $err, my $err_there or die "pipe: $!\n";
    # Closed by the start of the program; until then it tells why there is none.
    pipe my $trouble, my $trouble_there or die "pipe: $!\n";
    my $pid = fork // die "fork: $!\n";
    if ( !$pid ) {
        $SIG{$_} = 'DEFAULT' for qw(CHLD PIPE);
        POSIX::setsid();
        POSIX::dup2( fileno $in_there,  0 );
        POSIX::dup2( fileno $out_there, 1 );
        POSIX::dup2( fileno $err_there, 2 );
        @ENV{ keys %variables } = values %variables;
        if ( $folder ne '' && !chdir $folder ) { syswrite $trouble_there, '1'; POSIX::_exit(127) }
        if ( @words > 2 && $words[0] eq 'perl' && $words[1] eq '-e' ) {
            # A program that is started loses these by itself.
            close $_ for $trouble_there, $in, $out, $err, map { grep { $_ } @$_{qw(in out err)} } values %commands;
            ( $0, @ARGV ) = ( '-e', @words[ 2 .. $#words ] );
            main::evaluate();
            exit 0;
        }
        no warnings 'exec';
        exec { $words[0] } @words;
        syswrite $trouble_there, $!{ENOENT} || $!{EACCES} || $!{ENOTDIR} ? '0' : "!$!";
        POSIX::_exit(127);
    }
    close $_ for $in_there, $out_there, $err_there, $trouble_there;
    my $why = '';
    1 while !defined sysread( $trouble, $why, 200 ) && $! == EINTR;
    if ( $why eq '0' || $why eq '1' ) {
        waitpid $pid, 0;
        return answer( $id, 'missing', $why );
    }
    unblock( $in, $out, $err );
    answer( $id, 'begin', $pid );
    answer( $id, 'err', length($why) - 1, substr $why, 1 ) if $why ne '';
    $commands{$id} = { pid => $pid, input => $input, in => $in, out => $out, err => $err };
    hand_over( $commands{$id} );
}

sub hand_over {
    my ($command) = @_;
    while ( $command->{input} ne '' ) {
        my $written = syswrite $command->{in}, $command->{input}, CHUNK;
        if ( !defined $written ) {
            return if $! == EAGAIN || $! == EINTR;
            last;    # It does not read its input.
        }
        substr( $command->{input}, 0, $written ) = '';
    }
    close delete $command->{in};
}

# How many bytes came; 0 when none are there now, or none will come.
sub pass_on {
    my ( $id, $stream ) = @_;
    my $got = sysread $commands{$id}{$stream}, my $bytes, CHUNK;
    if ($got) { answer( $id, $stream, $got, $bytes ) }
    elsif ( defined $got ) { close delete $commands{$id}{$stream} }
    return $got || 0;
}

sub collect {
    my %id_of = map { $commands{$_}{pid} => $_ } keys %commands;
    while ( ( my $pid = waitpid -1, POSIX::WNOHANG ) > 0 ) {
        my ( $status, $id ) = ( $?, $id_of{$pid} );
        next unless defined $id;
        for my $stream (qw(out err)) {
            for ( 1 .. MOST_READS_AT_END ) { last unless $commands{$id}{$stream} && pass_on( $id, $stream ) }
        }
        delete $commands{$id};
        $status & 127 ? answer( $id, 'signal', $status & 127 ) : answer( $id, 'exit', $status >> 8 );
    }
}

sub answer {
    my ( $id, $what, $number, $bytes ) = @_;
    my $text = "$id $what $number\n" . ( $bytes // '' );
    while ( $text ne '' && !$alone ) {
        my $written = syswrite STDOUT, $text;
        if    ( defined $written ) { substr( $text, 0, $written ) = '' }
        elsif ( $! != EINTR )      { $alone = 1 }
    }
}

sub unblock {
    for my $handle (@_) { fcntl $handle, F_SETFL, fcntl( $handle, F_GETFL, 0 ) | O_NONBLOCK }
}
