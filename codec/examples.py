"""Examples at the end of each --help: what to type, and what comes of it."""

ALL = """\
try it:
  python -m codec encode photo.png photo.vqs                    all coarse, about 0.04 bits per pixel
  python -m codec encode photo.png photo.vqs --bpp 0.2          finer where the picture is busy
  python -m codec encode photo.png photo.vqs --kbytes 1         a smaller codebook: 0.02 bits per pixel at 768x512
  python -m codec decode photo.vqs back.png                     what a perfect link shows
  python -m codec decode photo.vqs back.png --drop 0.2          what it shows with 20 % of the blocks lost
  python -m codec info photo.vqs                                what is in the file
  python -m codec evaluate PHOTOS --out table.csv               rate and quality, beside JPEG, WebP, AVIF

from photographs to weights:
  python -m codec train tokenizer PHOTOS --out runs/tokenizer
  python -m codec train predictor PHOTOS --out runs/predictor --tokenizer runs/tokenizer/tokenizer.safetensors

python -m codec VERB --help has the options of a verb, with examples.
"""

ENCODE = """\
examples:
  python -m codec encode photo.png photo.vqs
      all blocks coarse, 16x16 pixels a token: about 0.04 bits per pixel
  python -m codec encode photo.png photo.vqs --bpp 0.2
      8x8 and 4x4 tokens where the picture is busy, until the rate is used up
  python -m codec encode photo.png photo.vqs --kbytes 1
      a file of at most 1000 bytes; below 0.04 bits per pixel with a smaller codebook
  python -m codec encode photo.png photo.vqs --ratios 10%,30%,60%
      shares of the area, the busiest first: fine, medium, coarse
  python -m codec encode photo.png photo.vqs --entropy context
      a smaller file for a few seconds more at both ends; see docs/bitstream.md
  python -m codec encode photo.png photo.vqs --slices 4
      four parts that decode alone, neighbours in different parts: one for each packet
"""

DECODE = """\
examples:
  python -m codec decode photo.vqs back.png
      all that is in the file
  python -m codec decode photo.vqs back.png --drop 0.2 --seed 1 --conceal expected
      20 % of the blocks are lost, the masked transformer fills them in
  python -m codec decode photo.vqs back.png --drop 20% --conceal none
      the same holes, left grey
  python -m codec decode photo.vqs back.png --drop-slices 0,2
      whole slices are lost, as packets would be (encode with --slices 4)
  python -m codec decode photo.vqs back.png --drop 0.2 --confidence sure.png
      and a picture of how sure each guess is: white received, black unknown
  python -m codec decode photo.vqs back.png --drop 0.2 --conceal mypackage.mymodule:guess
      your own concealment; docs/extending.md has one
"""

EVALUATE = """\
rate and quality, beside conventional codecs (without --loss):
  python -m codec evaluate PHOTOS --out table.csv
      ours, JPEG, JPEG 2000, WebP and AVIF over their ranges; table.csv has a row for each picture and
      setting, table_mean.csv the means, table.png and table.svg the curves
  python -m codec evaluate PHOTOS --bpp 0.04,0.1,0.2 --codecs vq,jpeg2000 --squeeze squeezenet.npz
      chosen rates and codecs, and a perceptual distance on top; JPEG, WebP and AVIF take no rate:
      they are tried at qualities of their own

robustness of our codec (with --loss):
  python -m codec evaluate PHOTOS --loss 0,0.05,0.1,0.2,0.3,0.5 \\
         --conceal none,zero,neighbour_mean,argmax,expected --seeds 3 --out loss.csv
      every method on the same holes; loss_mean.csv has 95 % intervals by image, of each value and of
      its paired difference to the method --against
  python -m codec evaluate PHOTOS --loss 20% --bpp 0.04,0.2 --conceal expected,mypackage.mymodule:guess
      at two rates, beside your own method

robustness on film (a folder of clips, with --loss; needs PyAV):
  python -m codec evaluate CLIPS --loss 20% --squeeze squeezenet.npz --out films.csv
      the first 24 frames of each clip in 4 packets each, a fifth of the packets lost, twice; every method on
      the same losses, with the frame before and without; films_mean.csv has a row for each clip and one for
      all, with 95 % intervals by clip and loss pattern and paired differences to copy_previous
  python -m codec evaluate CLIPS --loss 10%,20% --conceal copy_previous,expected+temporal --frames 100 --seeds 5

entropy models (with --entropy):
  python -m codec evaluate PHOTOS --entropy uniform,static,context --slices 1,4 --out entropy.csv
      bytes of the same tokens and seconds to code and decode them; entropy_mean.csv has the means
"""

INFO = """\
examples:
  python -m codec info photo.vqs       size, rate, tokens, slices of a file; needs no weights
  python -m codec info                 which weights are in use
"""

BENCH = """\
examples:
  python -m codec bench                                     every core, bf16 where this machine multiplies it
  python -m codec bench --precision fp32 --threads 2        two threads, without bf16
  python -m codec bench --device cuda --out bench.csv       on a GPU, and the table as a file
"""

TRAIN = """\
examples:
  python -m codec train tokenizer PHOTOS --out runs/tokenizer --squeeze squeezenet.npz
  python -m codec train predictor PHOTOS --out runs/predictor --tokenizer runs/tokenizer/tokenizer.safetensors
  python -m codec train joint PHOTOS --clips CLIPS --out runs/joint --tokenizer runs/tokenizer/tokenizer.safetensors \\
         --predictor runs/predictor/predictor.safetensors --squeeze squeezenet.npz
      decoder and predictor together, for the end; runs/joint is a folder for --weights then
  python -m codec train tokenizer PHOTOS --out runs/tokenizer --resume
      goes on where it stopped, exactly; docs/training.md has the recipe of the shipped weights
  python -m codec train tokenizer PHOTOS --out runs/tokenizer --device auto
      on a GPU, if there is one; so for all networks
"""
