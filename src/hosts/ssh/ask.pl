# Tells which targets are there; when one is not, also what was laid earlier beside it and on the shelf, newest first.
#
#     ask <shelf, may be empty> <target>...
#
# Words of the answer end with NUL: for each target "there" or "missing"; "zstd" or "gzip"; then of each folder's newest
# inventories the digest and the path of what it tells about. Format of an inventory file: see receive.pl.
use strict;
use warnings;

use constant NEWEST => 3;

my ( $shelf, @targets ) = @ARGV;
my %folders;
for my $target (@targets) {
    my $is_there = -e $target || -l $target;
    print $is_there ? "there\0" : "missing\0";
    $folders{ $target =~ s{/[^/]*\z}{}r } = 1 unless $is_there;
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
