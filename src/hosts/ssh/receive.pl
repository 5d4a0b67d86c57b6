# Lays folders: makes each beside its target from files that lie here already and from contents that arrive, verifies it
# and renames it.
#
#     receive [gzip|zstd] <orders, then contents
#
# Orders are words that end with NUL:
#     draw <folder>                     its files may be linked
#     target <path> <digest> <base>     followed by how its inventory differs from that of the folder <base>, which may be
#                                       empty: =<count> records are taken over, -<count> left out, +<record> added, "." ends
#     content <name> <size>             will arrive; in the order of arrival
#     go <digest>                       of the records of all targets together; contents follow
# Records are explained in ../inventory/inventory.ts; the name of a content is the kind of the file and its sha256.
#
# An answer is a line: "received <ms>"; "laid <target>" or "skipped <target>", counted from 0; with exit code 1 what is in the way: "bases"
# (the inventories of the bases are not what the sender believes), "lack <content>", "altered <content>" in the order of
# arrival, "cut <content>", "full". Nothing was laid unless it was said.
#
# Beside a target lies its inventory: drover-inventory-1, its digest, the number of records, the records, and of each file
# its seal as it was when its content had been verified: inode, time of the last write (in ns), size, mode and owner.
use strict;
use warnings;
use Errno;
use Fcntl qw(:DEFAULT :flock);
use File::Basename qw(basename dirname);
use IPC::Open2 qw(open2);
use POSIX ();

use constant { CHUNK => 1 << 20, WORKERS => 4, FILES_PER_WORKER => 200 };

umask 022;
$| = 1;
$SIG{$_} = sub { exit 143 }
  for qw(HUP INT PIPE TERM);

my @made;    # to be removed at the end, whatever it is
END {
    my $status = $?;
    waitpid -1, POSIX::WNOHANG();
    system 'rm', '-rf', '--', @made if @made;
    $? = $status;
}

my $in = \*STDIN;
if (@ARGV) { open $in, '-|', $ARGV[0], '-dcq' or failed( $ARGV[0] ) }
binmode $in;

my ( @draws, @targets, @arrivals, %arrives );
my %inventories;    # of folders that lie here
read_orders();

my %source;         # content => file that lies here and holds it
my %known;          # seal => content that was found in that inode
look_around();
check_that_nothing_lacks();
make_parts();
receive_contents();
verify();
finish();
exit 0;

sub read_orders {
    while (1) {
        my $order = word();
        if    ( $order eq 'draw' )    { push @draws, word() }
        elsif ( $order eq 'content' ) { push @arrivals, [ word(), word() ]; $arrives{ $arrivals[-1][0] } = 1 }
        elsif ( $order eq 'target' )  { push @targets, read_target() }
        elsif ( $order eq 'go' )      { last }
        else                          { die "unknown order $order\n" }
    }
    my $digest = word();
    my $pid    = open2( my $sum, my $text, 'sha256sum' );
    print {$text} map { "$_\0" } @{ $_->{records} } for @targets;
    close $text;
    my $found = <$sum> // '';
    waitpid $pid, 0;
    answer('bases') unless $found =~ /\A$digest /;
}

sub read_target {
    my %target = ( path => word(), digest => word() );
    my $base   = word();
    my @base   = $base eq '' ? () : @{ inventory($base)->{records} };
    my @records;
    while ( ( my $change = word() ) ne '.' ) {
        my ( $kind, $rest ) = ( substr( $change, 0, 1 ), substr( $change, 1 ) );
        if    ( $kind eq '=' ) { push @records, splice @base, 0, $rest }
        elsif ( $kind eq '-' ) { splice @base, 0, $rest }
        else                   { push @records, $rest }
    }
    $target{records} = \@records;
    $target{entries} = [ map { [entry($_)] } @records ];
    return \%target;
}

# Kind, path, and the content and size of a file or what a link points to.
sub entry {
    my ($record) = @_;
    if ( $record =~ /\A([fx]) (\d+) ([0-9a-f]{64}) (.+)\z/s ) { return ( $1, $4, "$1$3", $2 ) }
    if ( $record =~ /\Al (.+?)\/\/(.+)\z/s )                  { return ( 'l', $1, $2 ) }
    if ( $record =~ /\Ad (.+)\z/s )                           { return ( 'd', $1 ) }
    die "not a record: $record\n";
}

sub inventory {
    my ($folder) = @_;
    return $inventories{$folder} //= read_inventory( dirname($folder) . '/.' . basename($folder) . '.inventory' );
}

# An inventory that is missing or torn is an empty one.
sub read_inventory {
    my ($file) = @_;
    my $none = { records => [], seals => [] };
    open my $handle, '<', $file or return $none;
    local $/ = "\0";
    chomp( my ( $magic, $digest, $count, @rest ) = <$handle> );
    return $none unless ( $magic // '' ) eq 'drover-inventory-1' && defined $count && $count <= @rest;
    my @records = splice @rest, 0, $count;
    return { records => \@records, seals => \@rest };
}

# A file whose seal is whole is the inode whose content was verified, and nobody has written to it since.
sub look_around {
    my $found = walk(@draws);
    for my $draw (@draws) {
        my ( $records, @seals ) = ( inventory($draw)->{records}, @{ inventory($draw)->{seals} } );
        for my $record (@$records) {
            my ( $kind, $path, $content ) = entry($record);
            next unless $kind eq 'f' || $kind eq 'x';
            my $seal = shift @seals // '';
            next unless ( $found->{$draw}{$path}{seal} // '-' ) eq $seal;
            $source{$content} //= "$draw/$path";
            $known{$seal} = $content;
        }
    }
}

sub check_that_nothing_lacks {
    my %lacks;
    for my $entry ( map { @{ $_->{entries} } } @targets ) {
        my ( $kind, undef, $content ) = @$entry;
        $lacks{$content} = 1 if $kind =~ /[fx]/ && !$arrives{$content} && !exists $source{$content};
    }
    answer( map { "lack $_" } sort keys %lacks ) if %lacks;
}

# A part is locked by the one that fills it: one that can be locked is of an upload that died. The gate, a lock of the
# folder, makes new ones safe until they are locked.
sub make_parts {
    for my $target (@targets) {
        my ( $parent, $name ) = ( dirname( $target->{path} ), basename( $target->{path} ) );
        make_folder($parent);
        my $gate = locked($parent) // failed($parent);
        remove_dead_parts($parent);
        my $part = $target->{part} = "$parent/.$name.part-$$";
        mkdir $part, 0700 or failed($part);
        push @made, $part, "$part.inventory";
        $target->{lock} = locked($part) // failed($part);
    }
}

sub make_folder {
    my ($folder) = @_;
    return if -d $folder;
    make_folder( dirname($folder) );
    mkdir $folder or $!{EEXIST} or failed($folder);
}

sub remove_dead_parts {
    my ($parent) = @_;
    opendir my $handle, $parent or failed($parent);
    for my $name ( grep { /\A\..+\.part-\d+\z/s } readdir $handle ) {
        open my $part, '<', "$parent/$name" or next;
        system 'rm', '-rf', '--', "$parent/$name", "$parent/$name.inventory" if flock $part, LOCK_EX | LOCK_NB;
    }
}

sub locked {
    my ($folder) = @_;
    open my $handle, '<', $folder or return;
    flock $handle, LOCK_EX or return;
    return $handle;
}

# What lies here is linked while the first contents are on their way.
sub receive_contents {
    my %places;
    for my $target (@targets) {
        for my $entry ( @{ $target->{entries} } ) {
            my ( $kind, $path, $content ) = @$entry;
            my $place = "$target->{part}/$path";
            if    ( $kind eq 'd' )        { mkdir $place, 0755 or failed($place) }
            elsif ( $kind eq 'l' )        { symlink $content, $place or failed($place) }
            elsif ( $arrives{$content} )  { push @{ $places{$content} }, $place }
            else                          { share( $source{$content}, $place, $content ) }
        }
    }
    my $began = ticks();
    for my $number ( 0 .. $#arrivals ) {
        my ( $content, $size ) = @{ $arrivals[$number] };
        my ( $first, @others ) = @{ $places{$content} };
        write_file( $first, $content, $size, $in ) or cut_short( $number, \%places );
        share( $first, $_, $content ) for @others;
    }
    printf "received %d\n", 1000 * ( ticks() - $began ) / POSIX::sysconf(POSIX::_SC_CLK_TCK);
}

sub ticks {
    return ( POSIX::times() )[0];
}

# One that was shorter than it should be took from the next; the first that is wrong is the culprit, not the last.
sub cut_short {
    my ( $number, $places ) = @_;
    my %file = map { $_ => $places->{$_}[0] } map { $_->[0] } @arrivals[ 0 .. $number - 1 ];
    my $sums = sums( values %file );
    answer_altered( grep { ( $sums->{ $file{$_} } // '' ) ne substr $_, -64 } keys %file );
    answer("cut $arrivals[$number][0]");
}

# Files are shared between targets by hard links, so nobody may write to them by chance. Where there can be no link (an
# inode has too many, another owner) a copy is as good.
sub share {
    my ( $from, $to, $content ) = @_;
    return if link $from, $to;
    sysopen my $handle, $from, O_RDONLY or answer("lack $content");
    write_file( $to, $content, -s $handle, $handle ) or failed($from);
}

# False when the input ends early.
sub write_file {
    my ( $path, $content, $left, $from ) = @_;
    sysopen my $handle, $path, O_WRONLY | O_CREAT | O_EXCL, $content =~ /\Ax/ ? 0555 : 0444 or failed($path);
    while ( $left > 0 ) {
        my $count = read $from, my $bytes, $left < CHUNK ? $left : CHUNK;
        return 0 unless $count;
        print {$handle} $bytes or failed($path);
        $left -= $count;
    }
    close $handle or failed($path);
    return 1;
}

# Looks at all that was made, not at what was meant to be. Each new inode is read again; one that was verified before and
# not written to since is known.
sub verify {
    my $found = walk( map { $_->{part} } @targets );
    my %new;
    for my $part ( map { $_->{part} } @targets ) {
        my $things = $found->{$part};
        $new{ $things->{$_}{seal} } //= "$part/$_" for grep { $things->{$_}{kind} eq 'f' } keys %$things;
    }
    delete @new{ keys %known };
    my $sums = sums( values %new );
    for my $seal ( keys %new ) { $known{$seal} = $sums->{ $new{$seal} } // '' }
    my ( @lacks, @altered );
    for my $target (@targets) {
        my $things = $found->{ $target->{part} };
        for my $entry ( @{ $target->{entries} } ) {
            my ( $kind, $path, $content ) = @$entry;
            next if is_right( $entry, $things->{$path} );
            die "$target->{part}/$path was changed meanwhile\n" unless $kind eq 'f' || $kind eq 'x';
            push @{ $arrives{$content} ? \@altered : \@lacks }, $content;
        }
        die "there is more in $target->{part} than was sent\n" if keys %$things != @{ $target->{entries} };
        $target->{seals} = [ map { $_->[0] =~ /[fx]/ ? $things->{ $_->[1] }{seal} : () } @{ $target->{entries} } ];
    }
    answer_altered(@altered);
    answer( map { "lack $_" } @lacks ) if @lacks;
}

sub is_right {
    my ( $entry, $thing ) = @_;
    my ( $kind, undef, $content, $size ) = @$entry;
    return 0 unless defined $thing;
    return $thing->{kind} eq 'd' if $kind eq 'd';
    return $thing->{kind} eq 'l' && $thing->{to} eq $content if $kind eq 'l';
    my ( undef, undef, $its_size, $its_mode ) = split / /, $thing->{seal};
    my $is = $known{ $thing->{seal} } // '';
    return
         $thing->{kind} eq 'f'
      && $its_size == $size
      && $its_mode == ( $kind eq 'x' ? 555 : 444 )
      && substr( $is, -64 ) eq substr( $content, -64 );
}

sub answer_altered {
    my %altered = map { $_ => 1 } @_;
    answer( map { $altered{ $_->[0] } ? "altered $_->[0]" : () } @arrivals ) if %altered;
}

# folder => path => kind, seal and what a link points to
sub walk {
    my (@folders) = @_;
    my %found = map { $_ => {} } @folders;
    return \%found unless @folders;
    open my $find, '-|', 'find', @folders, '-mindepth', '1', '-printf', '%H\0%P\0%y\0%i %T@ %s %m %U\0%l\0'
      or failed('find');
    local $/ = "\0";
    while ( defined( my $folder = <$find> ) ) {
        chomp( $folder, my ( $path, $kind, $seal, $to ) = map { scalar <$find> // '' } 1 .. 4 );
        $found{$folder}{$path} = { kind => $kind, seal => $seal, to => $to };
    }
    close $find;
    return \%found;
}

# path => sha256, with a process for each processor when there is much to read
sub sums {
    my (@paths) = @_;
    my $workers = processors();
    $workers = WORKERS if $workers > WORKERS;
    $workers = 1 + int @paths / FILES_PER_WORKER if $workers > 1 + int @paths / FILES_PER_WORKER;
    my ( @outputs, @pids, %sums );
    for my $worker ( 0 .. $workers - 1 ) {
        my @share = @paths[ grep { $_ % $workers == $worker } 0 .. $#paths ];
        open my $names,  '+>', undef or failed('temporary file');
        open my $output, '+>', undef or failed('temporary file');
        print {$names} map { "$_\0" } @share or failed('temporary file');
        seek $names, 0, 0 or failed('temporary file');
        push @outputs, $output;
        push @pids, fork // failed('fork');
        next if $pids[-1];
        open STDIN, '<&', $names and open STDOUT, '>&', $output and exec qw(xargs -0 -r sha256sum -z --);
        POSIX::_exit(127);
    }
    waitpid $_, 0 for @pids;
    local $/ = "\0";
    for my $output (@outputs) {
        seek $output, 0, 0;
        while ( defined( my $line = <$output> ) ) {
            $sums{$2} = $1 if $line =~ /\A([0-9a-f]{64}) [ *](.+)\0\z/s;
        }
    }
    return \%sums;
}

sub processors {
    open my $info, '<', '/proc/cpuinfo' or return 1;
    return scalar( grep { /^processor\s/ } <$info> ) || 1;
}

# Contents reach the disk before names do: after a power cut a target that is there is whole.
sub finish {
    for my $target (@targets) {
        my $file = "$target->{part}.inventory";
        sysopen my $handle, $file, O_WRONLY | O_CREAT | O_TRUNC, 0644 or failed($file);
        my @words = ( 'drover-inventory-1', $target->{digest}, scalar @{ $target->{records} } );
        print {$handle} map { "$_\0" } @words, @{ $target->{records} }, @{ $target->{seals} } or failed($file);
        close $handle                 or failed($file);
        chmod 0755, $target->{part} or failed( $target->{part} );
    }
    my %disks = map { ( stat $_->{part} )[0] => $_->{part} } @targets;
    system( 'sync', '-f', '--', $_ ) == 0 or failed("sync of $_") for values %disks;
    rename_target($_) for 0 .. $#targets;
    my %parents = map { dirname( $_->{path} ) => 1 } @targets;
    for my $parent ( keys %parents ) {
        open my $handle, '<', $parent or failed($parent);
        $handle->sync;
    }
}

sub rename_target {
    my ($number) = @_;
    my ( $path, $part ) = @{ $targets[$number] }{qw(path part)};
    my $parent = dirname($path);
    my $gate   = locked($parent) // failed($parent);
    if ( -e $path || -l $path ) { print "skipped $number\n"; return }
    rename "$part.inventory", "$parent/." . basename($path) . '.inventory' or failed($path);
    rename $part, $path or failed($path);
    print "laid $number\n";
}

sub word {
    local $/ = "\0";
    my $word = <$in> // '';
    chomp $word or die "the orders are cut off\n";
    return $word;
}

sub answer {
    print "$_\n" for @_;
    exit 1;
}

sub failed {
    my ($what) = @_;
    my $why = $!;
    print "full\n" if $why == Errno::ENOSPC || $why == Errno::EDQUOT;
    print STDERR "$what: $why\n";
    exit 1;
}
