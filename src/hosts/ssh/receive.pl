# Lays folders: makes each beside its target from files that lie here already and from contents that arrive, verifies it
# and renames it.
#
#     receive [gzip|zstd] <orders, then contents
#
# Orders are words that end with NUL:
#     fence <root> <number>             nothing is laid when the host has seen a higher number for this environment
#     draw <folder>                     its files may be linked
#     target <path> <digest> <base>     followed by how its inventory differs from that of the folder <base>, which may be
#                                       empty: =<count> records are taken over, -<count> left out, +<record> added, "." ends
#     anew <path>                       what lies there makes way for the target, and stays beside it as .<name>.altered
#     content <name> <size>             will arrive; in the order of arrival
#     go <digest>                       of the records of all targets together; contents follow
# Records are explained in ../inventory/inventory.ts; the name of a content is the kind of the file and its sha256.
#
# An answer is a line: "received <ms>"; "laid <target>" or "skipped <target>", counted from 0; with exit code 1 what is in
# the way: "bases" (the inventories of the bases are not what the sender believes), "lack <content>", "altered <content>" in
# the order of arrival, "cut <content>", "full", "fenced <number seen>". Nothing was laid unless it was said.

use constant { CHUNK => 1 << 20, READ_AT_ONCE => 16 << 20 };

umask 022;
$| = 1;
$SIG{$_} = sub { exit 143 }
  for qw(HUP INT PIPE TERM);

my @made;    # to be removed at the end, whatever it is
END {
    my $status = $?;
    system 'rm', '-rf', '--', @made if @made;
    $? = $status;
}

my $in = \*STDIN;
if (@ARGV) { open $in, '-|', $ARGV[0], '-dcq' or failed( $ARGV[0] ) }
my ( $buffer, $at ) = ( '', 0 );    # what was read of it, and how much of that was used

my ( @draws, @targets, @arrivals );
my %arrives;        # content => 1
my @fence;          # root and number
my %anew;           # path => 1
my %inventories;    # of folders that lie here
my %seals;          # content => seal of the inode that holds it
my %odd_seals;      # place => seal, where there could be no link to that inode

read_orders();
my $sources = find_sources();
make_parts();
my $places = link_what_lies_here($sources);
receive_contents($places);
finish();
exit 0;

sub read_orders {
    while (1) {
        my $order = word();
        if    ( $order eq 'fence' )   { @fence = ( word(), word() ) }
        elsif ( $order eq 'draw' )    { push @draws, word() }
        elsif ( $order eq 'anew' )    { $anew{ word() } = 1 }
        elsif ( $order eq 'content' ) { push @arrivals, [ word(), word() ]; $arrives{ $arrivals[-1][0] } = 1 }
        elsif ( $order eq 'target' )  { push @targets, read_target() }
        elsif ( $order eq 'go' )      { last }
        else                          { die "unknown order $order\n" }
    }
    my $digest = word();
    answer('bases') unless digest_of( map { @{ $_->{records} } } @targets ) eq $digest;
}

sub read_target {
    my %target  = ( path => word(), digest => word() );
    my $base    = word();
    my @base    = $base eq '' ? () : @{ inventory($base)->{records} };
    my @records = ();
    while ( ( my $change = word() ) ne '.' ) {
        my ( $kind, $rest ) = ( substr( $change, 0, 1 ), substr( $change, 1 ) );
        if    ( $kind eq '=' ) { push @records, splice @base, 0, $rest }
        elsif ( $kind eq '-' ) { splice @base, 0, $rest }
        else                   { push @records, $rest }
    }
    $target{records} = \@records;
    return \%target;
}

sub word {
    my $end;
    while ( ( $end = index $buffer, "\0", $at ) < 0 ) { more() or die "the orders are cut off\n" }
    my $word = substr $buffer, $at, $end - $at;
    $at = $end + 1;
    return $word;
}

# False at the end of the input.
sub more {
    $buffer = substr $buffer, $at;
    $at     = 0;
    return sysread $in, $buffer, CHUNK, length $buffer;
}

sub inventory {
    my ($folder) = @_;
    return $inventories{$folder} //= read_inventory( inventory_file($folder) );
}

# content => file that lies here. One whose seal is whole is the inode whose content was verified, and nobody has written
# to it since.
sub find_sources {
    my ( %wanted, %source, %seal );
    for my $record ( map { @{ $_->{records} } } @targets ) {
        my ($content) = file($record) or next;
        $wanted{$content} = 1 unless $arrives{$content};
    }
    for my $draw (@draws) {
        my @seals = @{ inventory($draw)->{seals} };
        for my $record ( @{ inventory($draw)->{records} } ) {
            my ( $content, $path ) = file($record) or next;
            my $seal = shift @seals;
            next unless $wanted{$content} && defined $seal;
            delete $wanted{$content};
            $source{$content} = "$draw/$path";
            $seals{$content}  = $seal;
        }
    }
    my $found = seals( values %source );
    my @broken = grep { ( $found->{ $source{$_} } // '' ) ne $seals{$_} } keys %source;
    answer( map { "lack $_" } sort keys %wanted, @broken ) if %wanted || @broken;
    return \%source;
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

# While the first contents are on their way. Gives the places of what arrives.
sub link_what_lies_here {
    my ($sources) = @_;
    my %places;
    for my $target (@targets) {
        for my $record ( @{ $target->{records} } ) {
            if ( my ( $content, $path ) = file($record) ) {
                my $place = "$target->{part}/$path";
                if   ( $arrives{$content} ) { push @{ $places{$content} }, $place }
                else                        { share( $sources->{$content}, $place, $content ) }
            }
            elsif ( $record =~ /\Al (.+?)\/\/(.+)\z/s ) { symlink $2, "$target->{part}/$1" or failed("$target->{part}/$1") }
            else { mkdir "$target->{part}/" . substr( $record, 2 ), 0755 or failed( $target->{part} ) }
        }
    }
    return \%places;
}

# Files are shared between targets by hard links, so nobody may write to them by chance. Where there can be no link (an
# inode has too many, another owner) a copy is as good, once it has been verified.
sub share {
    my ( $from, $to, $content ) = @_;
    return if link $from, $to;
    open my $original, '<', $from or answer("lack $content");
    my $copy = new_file( $to, $content );
    while ( read $original, my $bytes, CHUNK ) { print {$copy} $bytes or failed($to) }
    close $copy or failed($to);
    $odd_seals{$to} = verified( verification( { $content => $to } ) )->{$content} // answer("lack $content");
}

# What has arrived is read again and verified while more arrives.
sub receive_contents {
    my ($places) = @_;
    my ( $began, $bytes, %recent, @verifications ) = ( ticks(), 0 );
    for my $arrival (@arrivals) {
        my ( $content, $size ) = @$arrival;
        my $place = $places->{$content}[0];
        receive_file( $place, $content, $size ) or cut_short( $content, @verifications, verification( \%recent ) );
        $recent{$content} = $place;
        $bytes += $size;
        next if $bytes < READ_AT_ONCE;
        push @verifications, verification( {%recent} );
        ( $bytes, %recent ) = (0);
    }
    printf "received %d\n", 1000 * ( ticks() - $began ) / POSIX::sysconf(POSIX::_SC_CLK_TCK);
    my $verified = verified( @verifications, verification( \%recent ) );
    answer_altered($verified);
    @seals{ keys %$verified } = values %$verified;
    for my $content ( map { $_->[0] } @arrivals ) {
        my ( $first, @others ) = @{ $places->{$content} };
        share( $first, $_, $content ) for @others;
    }
}

# A file that was shorter than it should be took from the next; the first that is wrong is the culprit, not the last.
sub cut_short {
    my ( $content, @verifications ) = @_;
    my %arrived = map { %{ $_->{files} } } @verifications;
    answer_altered( { %{ verified(@verifications) }, map { $_->[0] => 1 } grep { !$arrived{ $_->[0] } } @arrivals } );
    answer("cut $content");
}

sub answer_altered {
    my ($verified) = @_;
    my @altered = grep { !defined $verified->{$_} } map { $_->[0] } @arrivals;
    answer( map { "altered $_" } @altered ) if @altered;
}

# False when the input ends early.
sub receive_file {
    my ( $path, $content, $left ) = @_;
    my $handle = new_file( $path, $content );
    while ( $left > 0 ) {
        more() or return 0 if $at == length $buffer;
        my $count = length($buffer) - $at;
        my $written = syswrite( $handle, $buffer, $count < $left ? $count : $left, $at ) // failed($path);
        $at   += $written;
        $left -= $written;
    }
    close $handle or failed($path);
    return 1;
}

sub new_file {
    my ( $path, $content ) = @_;
    sysopen my $handle, $path, O_WRONLY | O_CREAT | O_EXCL, $content =~ /\Ax/ ? 0555 : 0444 or failed($path);
    return $handle;
}

# Reads files again, by content. The seal is taken first: who writes to a file in between breaks it.
sub verification {
    my ($files) = @_;
    my $script = 'stat --printf "=%i %.9Y %s %a %u %n\0" -- "$@" && exec sha256sum -z -- "$@"';
    return { files => $files, jobs => [ started( [ 'sh', '-c', $script, 'sh' ], values %$files ) ] };
}

# content => seal, of those files that hold what they should
sub verified {
    my ( %seals, %sums, %verified );
    for my $words ( finished( map { @{ $_->{jobs} } } @_ ) ) {
        for my $word ( split /\0/, $words // '' ) {
            if ( $word =~ /\A=((?:\S+ ){4}\S+) (.+)\z/s ) { $seals{$2} = $1 }
            else                                          { $sums{ substr $word, 66 } = substr $word, 0, 64 }
        }
    }
    for my $files ( map { $_->{files} } @_ ) {
        while ( my ( $content, $file ) = each %$files ) {
            $verified{$content} = $seals{$file} if ( $sums{$file} // '' ) eq substr $content, 1;
        }
    }
    return \%verified;
}

# file => seal
sub seals {
    my ( %seals, @words );
    @words = map { split /\0/ } outputs( [ 'stat', '--printf', '%i %.9Y %s %a %u\0%n\0', '--' ], @_ );
    while ( my ( $seal, $file ) = splice @words, 0, 2 ) { $seals{$file} = $seal }
    return \%seals;
}

sub ticks {
    return ( POSIX::times() )[0];
}

# Contents reach the disk before names do: after a power cut a target that is there is whole.
sub finish {
    for my $target (@targets) {
        write_inventory($target);
        chmod 0755, $target->{part} or failed( $target->{part} );
    }
    my %disks = map { ( stat $_->{part} )[0] => $_->{part} } @targets;
    system( 'sync', '-f', '--', $_ ) == 0 or failed("sync of $_") for values %disks;
    my $passed = pass_fence();
    rename_target($_) for 0 .. $#targets;
    my %parents = map { dirname( $_->{path} ) => 1 } @targets;
    for my $parent ( keys %parents ) {
        open my $handle, '<', $parent or failed($parent);
        $handle->sync;
    }
}

# A higher number cannot take over while the lock that this gives is held; see ../script.ts.
sub pass_fence {
    return unless @fence;
    my ( $root, $number ) = @fence;
    make_folder($root);
    open my $lock, '>>', "$root/fence.lock" or failed("$root/fence.lock");
    flock $lock, LOCK_SH or failed("$root/fence.lock");
    open my $file, '<', "$root/fence" or return $lock;
    my ($seen) = ( <$file> // '' ) =~ /\A(\d+)\s*\z/ or die "$root/fence does not hold a number\n";
    answer("fenced $seen") if $seen > $number;
    return $lock;
}

sub write_inventory {
    my ($target) = @_;
    my @records = @{ $target->{records} };
    my @seals;
    for my $record (@records) {
        my ( $content, $path ) = file($record) or next;
        push @seals, $odd_seals{"$target->{part}/$path"} // $seals{$content};
    }
    my $walked = digest_of( @{ walk_of( \@records, \@seals ) } );
    my @words  = ( 'drover-inventory-1', $target->{digest}, scalar @records, @records, @seals, $walked );
    my $file = "$target->{part}.inventory";
    sysopen my $handle, $file, O_WRONLY | O_CREAT | O_TRUNC, 0644 or failed($file);
    print {$handle} map { "$_\0" } @words or failed($file);
    close $handle or failed($file);
}

sub rename_target {
    my ($number) = @_;
    my ( $path, $part ) = @{ $targets[$number] }{qw(path part)};
    my $parent = dirname($path);
    my $gate   = locked($parent) // failed($parent);
    my $is_there = -e $path || -l $path;
    if ( $is_there && !$anew{$path} ) { print "skipped $number\n"; return }
    my $aside = "$parent/." . basename($path) . '.altered';
    system 'rm', '-rf', '--', $aside if $is_there;
    rename "$part.inventory", inventory_file($path) or failed($path);
    rename $path, $aside or failed($aside) if $is_there;
    rename $part, $path or failed($path);
    print "laid $number\n";
}

sub answer {
    print "$_\n" for @_;
    exit 1;
}
