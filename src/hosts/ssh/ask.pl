# Tells which targets are there; when one is not, also what was laid earlier beside it and on the shelf, newest first.
#
#     ask <tell altered ones 0|1> <shelf, may be empty> <target>...
#
# Words of the answer end with NUL: for each target "there", "altered" or "missing"; "zstd" or "gzip"; then of each folder's
# newest inventories the digest and the path of what it tells about.

use constant NEWEST => 3;

my ( $tells, $shelf, @targets ) = @ARGV;
my ( %there, %folders );
$there{$_} = 1 for grep { -e $_ || -l $_ } @targets;
my $differs = $tells ? differences( 0, inventories_of( keys %there ) ) : {};
for my $target (@targets) {
    my $state = !$there{$target} ? 'missing' : @{ $differs->{$target} // [] } ? 'altered' : 'there';
    print "$state\0";
    $folders{ dirname($target) } = 1 unless $state eq 'there';
}
print( ( grep { -x "$_/zstd" } split /:/, $ENV{PATH} ) ? "zstd\0" : "gzip\0" );
exit 0 unless %folders;

if ( $shelf ne '' ) { $folders{"$shelf/$_"} = 1 for names($shelf) }
for my $folder ( sort keys %folders ) {
    my @laid = map { /\A\.(.+)\.inventory\z/s && -d "$folder/$1" ? [ $1, ( stat "$folder/$_" )[9] // 0 ] : () } names($folder);
    my @newest = sort { $b->[1] <=> $a->[1] } @laid;
    for my $entry ( splice @newest, 0, NEWEST ) {
        my $digest = digest("$folder/.$entry->[0].inventory");
        print "$digest\0$folder/$entry->[0]\0" if defined $digest;
    }
}

sub names {
    my ($folder) = @_;
    opendir my $handle, $folder or return;
    return grep { !/\A\.\.?\z/ } readdir $handle;
}

sub digest {
    my ($file) = @_;
    open my $handle, '<', $file or return;
    local $/ = "\0";
    my ( $magic, $digest ) = ( scalar <$handle>, scalar <$handle> );
    return unless ( $magic // '' ) eq "drover-inventory-1\0" && ( $digest // '' ) =~ /\A([0-9a-f]{64})\0\z/;
    return $1;
}
