# What Drover laid on a host: functions for the other programs here, which begin with this one.
#
# Beside a folder <name> lies its inventory, .<name>.inventory: drover-inventory-1, its digest, the number of records, the
# records (see ../inventory/inventory.ts), and for each file its seal, as it was when its content had been verified: inode,
# time of the last write (in ns), size, mode and owner.
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT :flock);
use File::Basename qw(basename dirname);
use IPC::Open2 qw(open2);
use POSIX ();

use constant { WORKERS => 4, FILES_PER_WORKER => 200 };

sub inventory_file {
    my ($folder) = @_;
    return dirname($folder) . '/.' . basename($folder) . '.inventory';
}

# Content, path and size of a file.
sub file {
    my ($record) = @_;
    return $record =~ /\A([fx]) (\d+) ([0-9a-f]{64}) (.+)\z/s ? ( "$1$3", $4, $2 ) : ();
}

# An inventory that is missing or torn is an empty one.
sub read_inventory {
    my ($file) = @_;
    my $none = { digest => '', records => [], seals => [] };
    open my $handle, '<', $file or return $none;
    my ( $magic, $digest, $count, @words ) = split /\0/, do { local $/; <$handle> } // '';
    return $none unless ( $magic // '' ) eq 'drover-inventory-1' && ( $count // '' ) =~ /\A\d+\z/ && $count <= @words;
    my @records = splice @words, 0, $count;
    return { digest => $digest, records => \@records, seals => \@words };
}

# sha256 of records, each ended by NUL.
sub digest_of {
    my $pid = open2( my $sum, my $text, 'sha256sum' );
    print {$text} map { "$_\0" } @_;
    close $text;
    my $found = substr <$sum> // '', 0, 64;
    waitpid $pid, 0;
    return $found;
}

# folder => paths below it that are not as they were laid. A file that is still the inode that was verified, with the same
# size, time, mode and owner, is taken for what it was, unless all are to be read.
sub differences {
    my ( $deep, @folders ) = @_;
    my $found = walk(@folders);
    my ( %differs, %suspects );
    for my $folder (@folders) {
        my $inventory = read_inventory( inventory_file($folder) );
        my $lies      = $found->{$folder};
        my @seals     = @{ $inventory->{seals} };
        $differs{$folder} = \my @differs;
        for my $record ( @{ $inventory->{records} } ) {
            if ( my ( $content, $path ) = file($record) ) {
                my ( $seal, $thing ) = ( shift @seals // '', delete $lies->{$path} );
                if    ( !is_such_a_file( $thing, $content, $seal ) ) { push @differs, $path }
                elsif ( $deep || $thing->{seal} ne $seal )          { $suspects{"$folder/$path"} = [ $folder, $path, $content ] }
            }
            elsif ( $record =~ /\Al (.+?)\/\/(.+)\z/s ) {
                my ( $path, $to, $thing ) = ( $1, $2, delete $lies->{$1} );
                push @differs, $path unless $thing && $thing->{kind} eq 'l' && $thing->{to} eq $to;
            }
            else {
                my $path  = substr $record, 2;
                my $thing = delete $lies->{$path};
                push @differs, $path unless $thing && $thing->{kind} eq 'd';
            }
        }
        push @differs, sort keys %$lies;
    }
    my $sums = sums( sort keys %suspects );
    for my $file ( sort keys %suspects ) {
        my ( $folder, $path, $content ) = @{ $suspects{$file} };
        push @{ $differs{$folder} }, $path unless ( $sums->{$file} // '' ) eq substr $content, 1;
    }
    return \%differs;
}

# Services run as another user, who must be able to read it.
sub is_such_a_file {
    my ( $thing, $content, $seal ) = @_;
    return 0 unless $thing && $thing->{kind} eq 'f';
    my ( $mode, $owner ) = ( split / /, $thing->{seal} )[ 3, 4 ];
    my $is_ours = $owner == $> || $owner eq ( ( split / /, $seal )[4] // '' );
    return $is_ours && oct($mode) & 04 && ( oct($mode) & 01 ? 'x' : 'f' ) eq substr $content, 0, 1;
}

# folder => path => kind, seal and what a link points to
sub walk {
    my %found = map { $_ => {} } @_;
    return \%found unless @_;
    open my $find, '-|', 'find', @_, '-mindepth', '1', '-printf', '%H\0%P\0%y\0%i %T@ %s %m %U\0%l\0' or failed('find');
    local $/ = "\0";
    while ( defined( my $folder = <$find> ) ) {
        chomp( $folder, my ( $path, $kind, $seal, $to ) = map { scalar <$find> // '' } 1 .. 4 );
        # find tells times with a digit more than stat.
        $seal =~ s/\A(\d+ -?\d+\.\d{9})\d*/$1/;
        $found{$folder}{$path} = { kind => $kind, seal => $seal, to => $to };
    }
    close $find;
    return \%found;
}

# file => sha256
sub sums {
    return { map { ( substr( $_, 66 ), substr( $_, 0, 64 ) ) } map { split /\0/ } outputs( [ 'sha256sum', '-z', '--' ], @_ ) };
}

# What a program says about files.
sub outputs {
    return finished( started(@_) );
}

# The program at work, with a process for each processor when there are many files.
sub started {
    my ( $program, @files ) = @_;
    return unless @files;
    my ($workers) = sort { $a <=> $b } WORKERS, processors(), 1 + int @files / FILES_PER_WORKER;
    my @jobs;
    for my $worker ( 0 .. $workers - 1 ) {
        my @share = @files[ grep { $_ % $workers == $worker } 0 .. $#files ];
        open my $names,  '+>', undef or failed('temporary file');
        open my $output, '+>', undef or failed('temporary file');
        print {$names} map { "$_\0" } @share or failed('temporary file');
        $names->flush or failed('temporary file');
        my $pid = fork // failed('fork');
        push @jobs, { pid => $pid, output => $output };
        next if $pid;
        # Not as its input: perl has read ahead of ours, and sets that back by a seek before it starts a program.
        fcntl $names, F_SETFD, 0;
        POSIX::dup2( fileno $output, 1 );
        exec 'xargs', '-0', '-a', '/proc/self/fd/' . fileno $names, @$program or POSIX::_exit(127);
    }
    return @jobs;
}

sub finished {
    my (@jobs) = @_;
    waitpid $_->{pid}, 0 for @jobs;
    seek $_->{output}, 0, 0 for @jobs;
    local $/;
    return map { readline $_->{output} } @jobs;
}

sub processors {
    open my $info, '<', '/proc/cpuinfo' or return 1;
    return scalar( grep { /^processor\s/ } <$info> ) || 1;
}

sub failed {
    my ($what) = @_;
    my $why = $!;
    print "full\n" if $why == Errno::ENOSPC || $why == Errno::EDQUOT;
    print STDERR "$what: $why\n";
    exit 1;
}
