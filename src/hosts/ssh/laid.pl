# What Drover laid on a host: functions for the other programs here, which begin with this one.
#
# Beside a folder <name> lies its inventory, .<name>.inventory: drover-inventory-1, its digest, the number of records, the
# records (see ../inventory/inventory.ts), for each file its seal, as it was when its content had been verified: inode, time
# of the last write (in ns), size, mode and owner; and last the sum of what a walk through the folder finds while all seals
# are whole. By that one sum thousands of files are compared in the time that it takes to walk.
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT :flock);
use File::Basename qw(basename dirname);
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
    my $none = { digest => '', records => [], seals => [], walked => '' };
    open my $handle, '<', $file or return $none;
    my ( $magic, $digest, $count, @words ) = split /\0/, do { local $/; <$handle> } // '';
    return $none unless ( $magic // '' ) eq 'drover-inventory-1' && ( $count // '' ) =~ /\A\d+\z/ && $count <= @words;
    my @records = splice @words, 0, $count;
    my $walked  = @words && $words[-1] =~ /\A[0-9a-f]{64}\z/ ? pop @words : '';
    return { digest => $digest, records => \@records, seals => \@words, walked => $walked };
}

# What a walk finds in a folder with these records and seals.
sub walk_of {
    my ( $records, $seals ) = @_;
    my ( $next, @things ) = (0);
    for my $record (@$records) {
        my ( undef, $path ) = file($record);
        if    ( defined $path )                     { push @things, "$path\0f$seals->[ $next++ ]" }
        elsif ( $record =~ /\Al (.+?)\/\/(.+)\z/s ) { push @things, "$1\0l$2" }
        else                                        { push @things, substr( $record, 2 ) . "\0d" }
    }
    return [ sort @things ];
}

# sha256 of records, each ended by NUL.
sub digest_of {
    return ( digests_of( [@_] ) )[0];
}

# The same of several lists, by one program.
sub digests_of {
    my @files;
    for my $records (@_) {
        open my $file, '+>', undef or failed('temporary file');
        print {$file} map { "$_\0" } @$records or failed('temporary file');
        $file->flush or failed('temporary file');
        fcntl $file, F_SETFD, 0;
        push @files, $file;
    }
    return unless @files;
    open my $sums, '-|', 'sha256sum', map { '/proc/self/fd/' . fileno $_ } @files or failed('sha256sum');
    my @digests = map { substr $_, 0, 64 } <$sums>;
    close $sums;
    return map { $_ // '' } @digests[ 0 .. $#files ];
}

# folder => paths below it that are not as they were laid. A file that is still the inode that was verified, with the same
# size, time, mode and owner, is taken for what it was, unless all are to be read.
sub differences {
    my ( $deep, $inventories ) = @_;
    my @folders = keys %$inventories;
    my $found   = walk(@folders);
    my ( %differs, %suspects, %walked );
    @walked{@folders} = digests_of( @$found{@folders} );
    for my $folder (@folders) {
        my $inventory = $inventories->{$folder};
        $differs{$folder} = \my @differs;
        next if !$deep && $walked{$folder} eq $inventory->{walked};
        my ( $lies, $next ) = ( { map { split /\0/, $_, 2 } @{ $found->{$folder} } }, 0 );
        for my $record ( @{ $inventory->{records} } ) {
            if ( my ( $content, $path ) = file($record) ) {
                my ( $seal, $thing ) = ( $inventory->{seals}[ $next++ ] // '', delete $lies->{$path} // '' );
                next if !$deep && $thing eq "f$seal";
                if ( is_such_a_file( $thing, $content, $seal ) ) { $suspects{"$folder/$path"} = [ $folder, $path, $content ] }
                else                                             { push @differs, $path }
            }
            elsif ( $record =~ /\Al (.+?)\/\/(.+)\z/s ) {
                push @differs, $1 unless ( delete $lies->{$1} // '' ) eq "l$2";
            }
            else {
                my $path = substr $record, 2;
                push @differs, $path unless ( delete $lies->{$path} // '' ) eq 'd';
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

# folder => its inventory
sub inventories_of {
    return { map { $_ => read_inventory( inventory_file($_) ) } @_ };
}

# Services run as another user, who must be able to read it.
sub is_such_a_file {
    my ( $thing, $content, $seal ) = @_;
    return 0 unless $thing =~ /\Af/;
    my ( $mode, $owner ) = ( split / /, $thing )[ 3, 4 ];
    my $is_ours = $owner == $> || $owner eq ( ( split / /, $seal )[4] // '' );
    return $is_ours && oct($mode) & 04 && ( oct($mode) & 01 ? 'x' : 'f' ) eq substr $content, 0, 1;
}

# folder => for each thing in it, in order: path, NUL, "f" and its seal, "l" and what the link points to, or another kind alone
sub walk {
    my %found = map { $_ => [] } @_;
    return \%found unless @_;
    my $where = '%H\0%P\0';
    my @kinds = ( '-type', 'f', '-printf', "${where}f%i %T@ %s %m %U\\0", '-o', '-type', 'l', '-printf', "${where}l%l\\0" );
    open my $find, '-|', 'find', @_, '-mindepth', '1', '(', @kinds, '-o', '-printf', "${where}%y\\0", ')' or failed('find');
    my $text = do { local $/; <$find> } // '';
    close $find;
    # find tells times with a digit more than stat.
    $text =~ s/(\0f\d+ -?\d+\.\d{9})\d* /$1 /g;
    my @words = split /\0/, $text, -1;
    for ( my $at = 0 ; $at < $#words ; $at += 3 ) { push @{ $found{ $words[$at] } }, "$words[ $at + 1 ]\0$words[ $at + 2 ]" }
    @$_ = sort @$_ for values %found;
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
