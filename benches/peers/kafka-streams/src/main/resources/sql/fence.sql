update progress set next_offset = ? where partition = ? and epoch = ?
