# Tells how folders that were laid differ from what was laid.
#
#     compare <read all files 0|1> <folder>...
#
# Words of the answer end with NUL: for each folder "absent"; or "laid", the digest of its inventory (empty: there is none
# that can be read), how many paths differ, and the first of these; an empty word ends.

use constant MOST => 20;

my ( $deep, @folders ) = @ARGV;
my $differs = differences( $deep, grep { -d $_ && !-l $_ } @folders );
for my $folder (@folders) {
    my $paths = $differs->{$folder};
    if ( !$paths ) { print "absent\0\0"; next }
    my $inventory = read_inventory( inventory_file($folder) );
    my $is_whole  = $inventory->{digest} eq digest_of( @{ $inventory->{records} } );
    my $last      = @$paths < MOST ? $#$paths : MOST - 1;
    print map { "$_\0" } 'laid', $is_whole ? $inventory->{digest} : '', scalar @$paths, @$paths[ 0 .. $last ], '';
}
